"""Names in, attacks out: the engines that ship, and peers from other libraries, all as photo -> cloaked photo.

A peer works on the middle square of a photo at the network's size, with every pixel free to use the whole budget. Its
change is laid over the photo by the app's own composition, so that rounding is the same for all.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mobile_app.core import cloak as core_cloak
from mobile_app.core import compose, engines, looks, photo, pixels, posting, preprocess, runtime, squares, step
from mobile_app.core.bundle import load_bundle
from mobile_app.core.errors import BundleError
from mobile_app.core.loading import load_engine
from mobile_app.core.photo import Photo
from mobile_app.core.recogniser import OBJECTS
from mobile_app.core.runtime import load_graph
from mobile_app.core.step import StepConfig
from training.errors import TrainingError
from training.evaluate.followed import open_followed
from training.models.efficientnet_lite import efficientnet_lite

LITE0 = ("lite0_shipped", "lite0")  # one network; the weights of the first have eight bits
_MADE_OF_LITE0 = ("lite0_robust",)  # to an attack on Lite0 no stranger
_PEER_STRIDE = 0.15  # of a peer's step, as a share of the budget: 19 of them go almost three times as far as they may


@dataclass(frozen=True, kw_only=True, eq=False)
class Attack:
    """What changes a photo so that recognisers fail."""

    name: str
    settings: str  # all that decides on its cloaks: a cloak that was kept belongs to these and no others
    cloak: Callable[[Photo, int], Photo]  # (photo, seed) -> a photo of the same size
    attacked: tuple[str, ...] = LITE0  # judges it is aimed at, by name
    surrogates: tuple[str, ...] = ()  # judges that helped otherwise, in training say

    def role_of(self, judge: str) -> str:
        """attacked, surrogate or unseen."""
        return "attacked" if judge in self.attacked else "surrogate" if judge in self.surrogates else "unseen"


@dataclass(frozen=True, kw_only=True)
class EngineParts:
    """What an engine knew: the networks that it follows, and those that it, or what it follows, was trained with."""

    attacked: tuple[str, ...] = ()
    surrogates: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Peer:
    """An attack of torchattacks: the class and what differs from the budget, step and number of steps for all."""

    of: str
    options: dict[str, Any]


_LEARNED_FROM = (*LITE0, "lite1", "squeezenet", "darknet_tiny")  # see training.cli.one_pass
_FOLLOWS = EngineParts(
    attacked=("lite0_robust", "lite1_robust", "squeezenet"),
    surrogates=(*LITE0, "lite1"),  # of which the robust ones were made
)
ENGINES = {
    "gradient": _FOLLOWS,
    "generator": _FOLLOWS,
    "comreadv": EngineParts(attacked=LITE0, surrogates=_MADE_OF_LITE0),
    "universal": EngineParts(surrogates=_LEARNED_FROM),
}
TORCHATTACKS = {
    "pgd": Peer(of="PGD", options={"random_start": True}),
    "mi_fgsm": Peer(of="MIFGSM", options={"decay": 1.0}),
    "di_fgsm": Peer(of="DIFGSM", options={"decay": 1.0, "resize_rate": 0.9, "diversity_prob": 0.5}),
    "ti_fgsm": Peer(of="TIFGSM", options={"decay": 1.0, "resize_rate": 0.9, "diversity_prob": 0.5}),
    "vmi_fgsm": Peer(of="VMIFGSM", options={"decay": 1.0, "N": 5, "beta": 1.5}),
}
ATTACKS = (*ENGINES, *TORCHATTACKS, "foolbox_pgd")
_FOLLOWING = "gradient:"

_DECIDES = (core_cloak, compose, engines, looks, photo, pixels, posting, preprocess, runtime, squares, step)


def open_attacks(
    names: Sequence[str], config: StepConfig, shared: Path = Path("../shared")
) -> tuple[list[Attack], list[str]]:
    """The attacks of these names, or, for no names, all that can be had here.

    Args:
        names: of ATTACKS, or `gradient:NETWORK+NETWORK`, see training.evaluate.followed.
        config: budget and number of steps of all; the engines follow the rest of it too.
    Returns: (attacks, for each that cannot be had a sentence why).
    Raises: TrainingError for an unknown name, for one that was named and cannot be had, and if none is left.
    """
    for name in names:
        if name not in ATTACKS and not name.startswith(_FOLLOWING):
            known = ", ".join((*ATTACKS, f"{_FOLLOWING}NETWORK+NETWORK"))
            raise TrainingError(f"attacks: expected some of {known}, got {name!r}")
    attacks, reasons = [], []
    for name in dict.fromkeys(names) or ATTACKS:
        try:
            attacks.append(_open(name, config, shared))
        except ModuleNotFoundError as error:
            if names:
                raise TrainingError(f"attack {name}: {error}") from error
            reasons.append(f"{name}: {error}")
    if not attacks:
        raise TrainingError(f"attacks: none can be had here ({'; '.join(reasons)})")
    return attacks, reasons


def peer_attack(name: str, network: nn.Module, run: Callable[[Tensor, Tensor], Tensor], config: StepConfig,
                settings: str, size_px: int, attacked: tuple[str, ...] = LITE0) -> Attack:  # fmt: skip
    """An attack of `run`, (1, 3, S, S) in [0, 1] and (1,) labels -> adversarial images, on photos of any size.

    The label is what the network itself says, as for the engines. Chance comes from torch's generator, which is seeded
    for this call alone.
    """
    eps = config.budget_levels / 255

    def cloak(photo: Photo, seed: int) -> Photo:
        rows, columns = _middle_square(photo.rgb_hwc)
        square = photo.rgb_hwc[rows, columns]
        image = torch.from_numpy(preprocess.to_network_input(square, size_px, crop=1.0))
        with torch.no_grad():
            label = network(image).argmax(1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            delta = (run(image, label).detach() - image).numpy()
        if photo.is_grey:
            delta = delta.mean(1, keepdims=True)
        return photo.with_pixels(_laid_over(photo.rgb_hwc, delta[0] / eps, (rows, columns), config.budget_levels))

    return Attack(name=name, settings=settings, cloak=cloak, attacked=attacked, surrogates=_MADE_OF_LITE0)


def _open(name: str, config: StepConfig, shared: Path) -> Attack:
    if name in ENGINES:
        return _engine(name, ENGINES[name], config)
    if name.startswith(_FOLLOWING):
        return _following(name, config, shared)
    if name in TORCHATTACKS:
        return _of_torchattacks(name, TORCHATTACKS[name], config)
    return _of_foolbox(name, config)


def _engine(name: str, parts: EngineParts, config: StepConfig) -> Attack:
    bundle = load_bundle()
    try:
        engine = load_engine(bundle, name)
    except BundleError as error:
        raise ModuleNotFoundError(str(error)) from error
    entries = [entry for entry in bundle.graphs.values() if entry.engine == name or entry.name == OBJECTS]
    files = [file for entry in entries for file in (entry.file, *entry.data)]
    files += [bundle.universal] if name == "universal" and bundle.universal else []
    settings = _settings(name, config, [bundle.sha256[file] for file in files])
    return _by_engine(name, settings, engine, config, parts)


def _following(name: str, config: StepConfig, shared: Path) -> Attack:
    graphs, attacked, origins, digest = open_followed(name.removeprefix(_FOLLOWING), shared)
    parts = EngineParts(attacked=_judges(attacked), surrogates=_judges(origins))
    bundle = load_bundle()
    entry = bundle.entry(OBJECTS)
    engine = engines.GradientEngine(graphs, recogniser=load_graph(bundle.path(OBJECTS)))
    asked = [bundle.sha256[file] for file in (entry.file, *entry.data)]  # a cloak is its label's, too
    return _by_engine(name, _settings(name, config, [digest, *asked]), engine, config, parts)


def _judges(networks: Sequence[str]) -> tuple[str, ...]:
    """Lite0 is two judges, as published and as shipped."""
    return tuple(judge for network in networks for judge in (LITE0 if network == "lite0" else (network,)))


def _settings(name: str, config: StepConfig, digests: Sequence[str]) -> str:
    sources = hashlib.sha256("".join(sorted(inspect.getsource(module) for module in _DECIDES)).encode()).hexdigest()
    return json.dumps([name, repr(config), list(digests), sources])


def _by_engine(name: str, settings: str, engine: engines.Engine, config: StepConfig, parts: EngineParts) -> Attack:
    def cloak(photo: Photo, _seed: int) -> Photo:
        return core_cloak.cloak(photo, engine, config).photo

    return Attack(name=name, settings=settings, cloak=cloak, attacked=parts.attacked, surrogates=parts.surrogates)


def _of_torchattacks(name: str, peer: Peer, config: StepConfig) -> Attack:
    torchattacks = _imported("torchattacks")
    network = efficientnet_lite(0)
    eps = config.budget_levels / 255
    shared = {"eps": eps, "alpha": eps * _PEER_STRIDE, "steps": config.steps}
    attack = getattr(torchattacks, peer.of)(network, **shared, **peer.options)
    settings = json.dumps([peer.of, shared, peer.options, metadata.version("torchattacks"), "EfficientNet-Lite0"])
    return peer_attack(name, network, attack, config, settings, network.size_px)


def _of_foolbox(name: str, config: StepConfig) -> Attack:
    foolbox = _imported("foolbox")
    network = efficientnet_lite(0)
    eps = config.budget_levels / 255
    attack = foolbox.attacks.LinfPGD(rel_stepsize=_PEER_STRIDE, steps=config.steps, random_start=True)
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")

    def run(image: Tensor, label: Tensor) -> Tensor:
        _, clipped, _ = attack(model, image, label, epsilons=eps)
        return clipped

    settings = json.dumps(["LinfPGD", eps, _PEER_STRIDE, config.steps, metadata.version("foolbox")])
    return peer_attack(name, network, run, config, settings, network.size_px)


def _imported(package: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{package} is not installed as a whole ({error}); run `pip install {package}`"
        ) from error


def _middle_square(rgb_hwc: NDArray[np.uint8]) -> tuple[slice, slice]:
    height, width = rgb_hwc.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return slice(top, top + side), slice(left, left + side)


def _laid_over(
    rgb_hwc: NDArray[np.uint8], unit_chw: NDArray[np.float32], where: tuple[slice, slice], budget_levels: float
) -> NDArray[np.uint8]:
    unit_chw = np.clip(unit_chw, -1, 1).astype(np.float32, copy=False)
    bound_levels = np.full((3, *unit_chw.shape[-2:]), budget_levels, np.float32)
    out = rgb_hwc.copy()
    out[where] = compose.compose(np.ascontiguousarray(rgb_hwc[where]), unit_chw, bound_levels, budget_levels)
    return out
