"""The Xcode project that kivy-ios makes in, the one that the app needs out: `python -m export.ios`.

`recipes/pillow` is a recipe for kivy-ios; Info.plist and PrivacyInfo.xcprivacy are what the app declares.
"""
