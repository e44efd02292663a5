"""The numbers of the mask rules; lengths are shares of the picture's short side, so that they hold at any size."""

from __future__ import annotations

from dataclasses import dataclass, field

IMAGENET_MEAN = (0.485, 0.456, 0.406)
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)


@dataclass(frozen=True, kw_only=True)
class GridMaskConfig:
    """Chen et al. 2020, arXiv:2001.04086: cleared squares of (1 - bar) * period in every period, both ways."""

    shortest_period: float = 24 / 32  # of the short side
    longest_period: float = 32 / 32
    bar: float = 0.4  # share of a period that is kept between two squares

    def __post_init__(self) -> None:
        if not 0 < self.shortest_period <= self.longest_period <= 4:
            raise ValueError(
                "shortest_period, longest_period: expected 0 < shortest <= longest <= 4, "
                f"got {self.shortest_period} and {self.longest_period}"
            )
        _expect_share("bar", self.bar)


@dataclass(frozen=True, kw_only=True)
class AdvMaskConfig:
    """Yang et al., AdvMask, Pattern Recognition 144 (2023) 109847, arXiv:2211.16040. Lengths: of the short side."""

    shortest: float = 0.1  # side L of the squares, drawn once for a picture from shortest to longest, both included
    longest: float = 0.35
    is_narrowed: bool = False  # True: as the public code, which ends a square before its last row: 2 * ((L - 1) // 2)
    margin: float = 1 / 32  # around a square, counted with it by the overlap rule
    most_overlap: float = 0.1  # of L * L: a point with more cleared pixels around it is passed over
    enough: float = 0.15  # of the area: past it, a further point follows with probability `go_on`
    go_on: float = 0.5
    most: float = 0.5  # of the area: no further point follows
    farthest_shift: float = 3 / 32  # of the finished mask, along each axis on its own
    least: float = 100 / 1024  # of the area: a mask that clears less is replaced by GridMask
    grid: GridMaskConfig = field(default_factory=GridMaskConfig)

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= self.longest <= 1:
            raise ValueError(
                f"shortest, longest: expected 0 < shortest <= longest <= 1, got {self.shortest} and {self.longest}"
            )
        for name in ("margin", "most_overlap", "enough", "go_on", "most", "farthest_shift", "least"):
            _expect_share(name, getattr(self, name))
        if self.enough > self.most:
            raise ValueError(f"enough: expected at most `most` ({self.most}), got {self.enough}")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The settings of every rule for one kind of picture."""

    advmask: AdvMaskConfig = field(default_factory=AdvMaskConfig)
    grid: GridMaskConfig = field(default_factory=GridMaskConfig)
    cutout: float = 16 / 32  # side of the square, of the short side
    mean: tuple[float, float, float] = IMAGENET_MEAN

    def __post_init__(self) -> None:
        _expect_share("cutout", self.cutout)


def _expect_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: expected 0 to 1, got {value}")


# as the public code (Jackbrocp/AdvMask): 5 to 21 and 3 to 16 px of 32, both ends included
CIFAR10_ADVMASK = AdvMaskConfig(
    shortest=5 / 32, longest=21 / 32, is_narrowed=True, enough=0.03, go_on=0.0, farthest_shift=9 / 32
)
CIFAR100_ADVMASK = AdvMaskConfig(
    shortest=3 / 32, longest=16 / 32, is_narrowed=True, enough=0.03, go_on=0.47, farthest_shift=6 / 32
)
PHOTO_ADVMASK = AdvMaskConfig()  # ours: exact squares, several of them, so that GridMask rarely has to stand in
PRESETS = {
    "photo": Preset(advmask=PHOTO_ADVMASK),
    "cifar10": Preset(advmask=CIFAR10_ADVMASK, mean=CIFAR_MEAN),
    "cifar100": Preset(advmask=CIFAR100_ADVMASK, cutout=8 / 32, mean=CIFAR_MEAN),
}
