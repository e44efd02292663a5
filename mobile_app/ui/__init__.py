"""The app. Calls mobile_app.core, shows what comes back; Kivy and core alone, never an inference runtime.

    theme       colours, type and spacing by role; a Theme is handed to every widget
    language    catalogues: text/<language>/<screen>.json
    widgets     the widget set (TextButton, Card, Text, Sheet ...); `from mobile_app.ui.widgets import ...`
    screen      Screen: what every page is; screens/ has one module a page
    navigation  the stack of pages
    background  Worker: jobs off the screen's thread
    platform    the only place that knows Android, iOS and desktop
    app         PetalveilApp: holds them together, handed to each screen as `self.app`
    start       run(): what Kivy has to be told before it is imported
    graphs      Graphs: bundle, graphs and recognisers, loaded in jobs
    warming     what pages need later, imported while Home is looked at

How a page is made. `self.app.go("learn_article", id="rose")` shows the class LearnArticleScreen of the module
screens/learn_article.py; nothing has to be registered. Pages named in navigation.TABS are tabs and appear in the bar
as soon as their module is there.

    class LearnArticleScreen(Screen):
        def title(self) -> str:
            return self.t("learn.article")

        def body(self) -> Sequence[Widget | None]:          # from top to bottom; None is passed over
            return (
                Picture(self.theme, path, ratio=0.6),
                Card(self.theme, Text(self.theme, "...", "heading"), Text(self.theme, "...")),
                TextButton(self.theme, self.t("learn.read"), self._read, kind="soft", icon="book-open"),
            )

        def _read(self) -> None:
            self.is_read = True
            self.refresh()                                  # calls body() again, stays scrolled

        def state(self) -> dict[str, Any]:                  # JSON values; comes back as self.kept
            return {"is_read": self.is_read}

`__init__` ends by calling body(), so a subclass with attributes of its own sets them from `kept` before
`super().__init__(app, params, state)`. A long body yields its widgets, and a long card its parts (`card_of`): then it
is made over several frames, none of which may take 50 ms (tests/benchmarks/app_frames.py measures them). Whenever
language, theme or text size change every page is made anew: keep in the page what `state()` can hold, and work under
way in a model: `self.app.model(FlowerModel)` is one object that outlives pages, made by `FlowerModel(app)`; with
state() and restore(state) it survives being killed too, with close() it hears that everything is about to be erased.
A page that holds pixels lets go of them in on_gone().

Optional: actions() (icons in the bar), footer() (buttons that stay at the lower edge), on_enter(), on_leave(),
on_back().
`self.app`: go, back, snack, complain(sentence), sheet, close_sheet, ask, change(**settings), settings, data (a folder),
system (the platform), worker, model, theme, t.

Work:  task = self.app.worker.run(job, done=self._show, failed=self.app.complain, progress=self._step)
`job(task)` runs off the screen's thread and touches no widget; it may look at task.should_stop() and call
task.report(...). done and failed run on the screen's thread and are not called after task.cancel(). Graphs are loaded
inside jobs, never before: `self.app.model(Graphs)`. Pixels for the screen: widgets.texture_of(rgb_hwc), called in done.

Text: every sentence is self.t("screen.key", name=value) or self.t.count("screen.key", n) with an entry "key" and
perhaps "key.one"; a test compares the catalogues and looks for every key in the code. A test names each character that
the fonts lack: `python -m export.fonts --text DIR` adds it. Icons: a row in icons.py and the same command with --icons.

Layout: start from a Column (or body()); a widget knows its height, and gets its width. Text wraps; `fit=True` keeps it
on one line. Sizes are in dp; numbers for padding and gap are dp already. In a Row, children stand from the start of
the line, so right-to-left needs nothing more. Colours are roles: a pair of text and ground without enough contrast
fails a test.

Tests: the fixture `driver` of tests/mobile_app/ui/conftest.py is a running app with a fake platform.

    def test_an_article_opens(driver):
        driver.restart(language="zh", theme="dark", size=(320, 640))
        driver.go("learn")
        driver.tap("rose")                     # a widget by what it says, as a finger would
        driver.wait(lambda: driver.shows("Rosa"))
        driver.check_layout()                  # nothing cut off, targets of 48 dp, contrast
"""
