"""A chest in formulas: body wall, ribs, spine, heart, great vessels, domes and lungs of one made-up person.

Coordinates are millimetres: x to the person's left, y to the back, both from the middle of the chest. The level runs
from 0 at the lowest lung to 1 at the apex.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from halescan.synthesis.shapes import Field, bump, cover, ellipse, join, meet, paint, superellipse_radius

LUNG_HEIGHT_MM = 250.0


@dataclass(frozen=True)
class Build:
    """What differs between two healthy people.

    Args:
        half_width_mm: Half the body's width at the nipples.
        half_depth_mm: Half its depth there.
        fat_mm: Subcutaneous fat.
        breasts_mm: How far the breasts stand out; 0 for none.
        heart: Size of the heart relative to the average.
        mediastinum: Width of the mediastinum relative to the average.
        dome_right, dome_left: Level of the tops of the diaphragm.
        rib_phase: Where in the rib spacing the lowest rib lies, in [0, 1).
        rib_spacing_mm: From one rib to the next.
        lung_hu: Density of the lungs at mid-height.
        turn_degrees: How crooked the person lies.
        offset_mm: Where the person lies in the field of view, `(x, y)`.
        wobble: `(2, 4)` departures of the outlines from symmetry.
        table_mm: Gap between back and table.
    """

    half_width_mm: float
    half_depth_mm: float
    fat_mm: float
    breasts_mm: float
    heart: float
    mediastinum: float
    dome_right: float
    dome_left: float
    rib_phase: float
    rib_spacing_mm: float
    lung_hu: float
    turn_degrees: float
    offset_mm: tuple[float, float]
    wobble: np.ndarray
    table_mm: float

    @property
    def muscle_mm(self) -> float:
        """Thickness of the chest wall between fat and ribs, at its thinnest."""
        return 0.05 * self.half_width_mm

    @property
    def spine_y(self) -> float:
        """Where the middle of a vertebral body lies."""
        return 0.46 * self.half_depth_mm


def draw_build(random: np.random.Generator) -> Build:
    """One healthy person, drawn within the usual adult range."""

    def near(mean: float, spread: float) -> float:
        return float(mean + spread * np.clip(random.normal(), -2, 2))

    return Build(
        half_width_mm=near(160, 7),
        half_depth_mm=near(108, 5.5),
        fat_mm=near(13, 4),
        breasts_mm=float(random.uniform(5, 18)) if random.random() < 0.45 else 0.0,
        heart=near(1.0, 0.06),
        mediastinum=near(1.0, 0.07),
        dome_right=near(0.20, 0.03),
        dome_left=near(0.15, 0.03),
        rib_phase=float(random.random()),
        rib_spacing_mm=near(25, 1.2),
        lung_hu=near(-850, 14),
        turn_degrees=near(0, 1.6),
        offset_mm=(near(0, 3), near(0, 3)),
        wobble=random.normal(size=(2, 4)).astype(np.float32),
        table_mm=near(4, 1.5),
    )


class Chest:
    """One person sampled at places `x`, `y` (mm) and levels, all broadcast against each other.

    Args:
        build: The person.
        x, y: Places in the field of view, mm from its middle.
        level: 0 at the lung base, 1 at the apex.
        edge_mm: Width of a soft edge, about one voxel.
    """

    def __init__(self, build: Build, x: Field, y: Field, level: Field, *, edge_mm: float) -> None:
        turn = np.deg2rad(build.turn_degrees)
        x, y = x - np.float32(build.offset_mm[0]), y - np.float32(build.offset_mm[1])
        self.build, self.level, self.edge_mm = build, level, edge_mm
        self.x = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
        self.y = y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))

    def tissue(self, texture: Field) -> Field:
        """Hounsfield units of everything but the vessels in the lungs; `texture` is smooth noise of unit spread."""
        canvas = np.full(texture.shape, -1000.0, np.float32)
        self._paint_table(canvas)
        self._paint_wall(canvas, texture)
        self._paint_ribs(canvas)
        self._paint_mediastinum(canvas, texture)
        self._paint_bones(canvas)
        self._paint_lungs(canvas, texture)
        self._paint_airway(canvas)
        return canvas

    @cached_property
    def body(self) -> Field:
        """Distance to the skin."""
        b = self.build
        angle = np.arctan2(self.y, self.x)
        radius = superellipse_radius(angle, half=(b.half_width_mm, b.half_depth_mm), power=2.5)
        radius = radius + b.breasts_mm * bump(self.level, centre=0.35, width=0.4) * sum(
            np.exp(-(((angle + np.pi / 2 + side * 0.85) / 0.42) ** 2)) for side in (-1, 1)
        )
        radius = radius - 5 * np.exp(-(((angle - np.pi / 2) / 0.16) ** 2))  # the groove over the spine
        return np.hypot(self.x, self.y) - radius - self._wobble(angle, 0) * 1.6

    @cached_property
    def cavity(self) -> Field:
        """Distance to the inner side of the ribs."""
        return self._from_centre[0] - self._wall_radius

    @cached_property
    def middle(self) -> Field:
        """Distance to all that lies between the lungs and under them."""
        b, x, y, t = self.build, self.x, self.y, self.level
        wide, spine = b.mediastinum, b.spine_y
        narrow = 1 - 0.35 * bump(t, centre=0.58, width=0.22)  # fat alone between the lungs above the heart
        shape = ellipse(x, y, centre=(0, spine + 30), half=(32, 44))
        shape = join(shape, ellipse(x, y, centre=(2, -4), half=(26 * wide * narrow, 50)), blend_mm=14)
        shape = join(shape, ellipse(x, y, centre=(1, -70), half=(6 + 7 * (t - 0.4), 34)), blend_mm=9)
        shape = join(shape, self._heart, blend_mm=10)
        shape = join(shape, self._aorta - 2, blend_mm=6)
        for side in (-1, 1):
            hilum = bump(t, centre=0.47 + 0.02 * side, width=0.13)
            shape = join(shape, ellipse(x, y, centre=(side * 31 * wide, 4), half=(15 * hilum, 17 * hilum)), blend_mm=14)
        return shape

    @cached_property
    def lungs(self) -> Field:
        """Distance to the pleura."""
        free = meet(self.cavity + 2.0, -self.middle, blend_mm=9)
        return meet(free, -np.minimum(self._dome(-1), self._dome(1)), blend_mm=4)

    @cached_property
    def _from_centre(self) -> tuple[Field, Field]:
        """Polar coordinates about the middle of the rib cage."""
        y = self.y - self._cage[1]
        return np.hypot(self.x, y), np.arctan2(y, self.x)

    @cached_property
    def _cage(self) -> tuple[Field, Field, tuple[Field, Field]]:
        """How far the rib cage has closed, its middle (y) and half axes at each level."""
        b, t = self.build, self.level
        open_share = np.sqrt(np.clip(1 - np.clip((t - 0.2) / 0.82, 0, 1) ** 2.6, 0.02, 1))
        half_x = (b.half_width_mm - b.fat_mm - b.muscle_mm - 8) * open_share
        half_y = (b.half_depth_mm - 0.75 * b.fat_mm - 12) * (0.25 + 0.75 * open_share)
        return open_share, 1.0 + 16 * (1 - open_share), (half_x, half_y)

    @cached_property
    def _wall_radius(self) -> Field:
        """Radius of the inner chest wall, about the middle of the rib cage."""
        angle = self._from_centre[1]
        return superellipse_radius(angle, half=self._cage[2], power=2.25) + self._wobble(angle, 1) * 1.5

    @cached_property
    def _around(self) -> Field:
        """Angle around the chest on either side: 0 at the spine, pi at the sternum."""
        return np.arctan2(np.abs(self.x), self.y - self._cage[1])

    @cached_property
    def _heart(self) -> Field:
        b, t = self.build, self.level
        swell = np.sqrt(bump(t, centre=0.20, width=0.31)) * b.heart
        half = (62 * swell, 44 * swell)
        return ellipse(self.x, self.y, centre=(17, -0.28 * b.half_depth_mm), half=half, degrees=33)

    @cached_property
    def _aorta(self) -> Field:
        """Descending and ascending aorta, and the arch that joins them."""
        b, x, y, t = self.build, self.x, self.y, self.level
        size = 0.9 + 0.1 * b.heart
        below = np.clip((0.70 - t) * 60, 0, 1)
        down = ellipse(x, y, centre=(23, b.spine_y - 10), half=(12.5 * size * below, 12.5 * size * below))
        rising = below * np.clip((t - 0.42) * 30, 0, 1)
        up = ellipse(x, y, centre=(-16, -24), half=(16 * size * rising, 16 * size * rising))
        over = np.sqrt(bump(t, centre=0.68, width=0.055))
        arch = ellipse(x, y, centre=(9, 8), half=(13 * over, 44 * over), degrees=32)
        return np.minimum(np.minimum(down, up), arch)

    def _dome(self, side: int) -> Field:
        """Distance to the organs under one half of the diaphragm (-1 right: liver, 1 left: spleen and stomach)."""
        b = self.build
        top = b.dome_right if side < 0 else b.dome_left
        size = np.sqrt(np.clip(1 - np.clip(self.level / top, 0, 1) ** 1.5, 0, 1))
        half_x, half_y = (size * half for half in self._cage[2])
        return ellipse(self.x, self.y, centre=(side * 0.5 * self._cage[2][0], 2.0), half=(0.58 * half_x, half_y))

    def _wobble(self, angle: Field, which: int) -> Field:
        """A person's own departure from symmetry, unit spread."""
        a, b, c, d = self.build.wobble[which]
        return a * np.cos(angle) + b * np.cos(2 * angle + 0.7) + c * np.sin(3 * angle) + d * np.sin(4 * angle + 0.3)

    def _cover(self, distance: Field) -> Field:
        return cover(distance, edge_mm=self.edge_mm)

    def _paint_table(self, canvas: Field) -> None:
        """The couch: a thin shell around light foam, below the back."""
        surface = self.build.half_depth_mm + self.build.table_mm - (self.x / 62) ** 2
        inside = np.maximum(surface - self.y, self.y - surface - 26)
        paint(canvas, -890.0, self._cover(inside))
        paint(canvas, -420.0, self._cover(np.abs(inside) - 1.3))

    def _paint_wall(self, canvas: Field, texture: Field) -> None:
        """Skin, fat, muscle with fat between its bellies, and the fat inside the chest."""
        fat = self.build.fat_mm * (1 + 0.35 * np.cos(2 * np.arctan2(self.y, self.x)))
        paint(canvas, 15.0, self._cover(self.body))
        paint(canvas, -102.0 + 5 * texture, self._cover(self.body + 2.2))
        paint(canvas, 48.0 + 9 * texture, self._cover(self.body + fat))
        layers = np.abs(self._from_centre[0] - self._wall_radius - 14 - 3 * texture) - 1.2
        paint(canvas, -65.0, 0.75 * self._cover(layers) * self._cover(self.body + fat + 3))
        if self.build.breasts_mm:
            paint(canvas, 15.0, 0.7 * self._gland() * np.clip(0.5 + 0.6 * texture, 0, 1))
        paint(canvas, -75.0 + 8 * texture, self._cover(self.cavity))

    def _gland(self) -> Field:
        """Glandular tissue within the breasts."""
        b = self.build
        height = bump(self.level, centre=0.35, width=0.3)
        half = (26 * height, (4 + 0.5 * b.breasts_mm) * height)
        y = -0.86 * b.half_depth_mm - 0.35 * b.breasts_mm
        glands = (
            ellipse(self.x, self.y, centre=(side * 0.47 * b.half_width_mm, y), half=half, degrees=-side * 22)
            for side in (-1, 1)
        )
        return self._cover(np.minimum(*glands)) * self._cover(self.body + 4)

    def _paint_ribs(self, canvas: Field) -> None:
        """Ribs fall from the spine to the front, so a slice cuts each of them obliquely into an arc."""
        b, around = self.build, self._around
        fall = 52 * (1 - np.cos(around))
        turn = (self.level * LUNG_HEIGHT_MM + fall) / b.rib_spacing_mm + b.rib_phase
        along = (turn - np.round(turn)) * b.rib_spacing_mm * 0.9
        across = self._from_centre[0] - self._wall_radius - 5.5
        reach = np.sqrt((along / 7.2) ** 2 + (across / 4.6) ** 2)
        there = np.clip((around - 0.33) * 8, 0, 1) * self._cover(self.body + 6)
        bony = np.clip((2.45 - around) * 8, 0, 1)
        outside = (reach - 1) * 4.6
        paint(canvas, 95 + 365 * bony, there * self._cover(outside))
        paint(canvas, 95 + 65 * bony, there * self._cover(outside + 2.1))

    def _paint_mediastinum(self, canvas: Field, texture: Field) -> None:
        """Heart, great vessels, gullet and the organs under the diaphragm."""
        b, x, y, t = self.build, self.x, self.y, self.level
        inside = self._cover(self.cavity + 1)
        paint(canvas, 44.0, inside * self._cover(self._heart + 5))
        paint(canvas, 42.0, inside * self._cover(self._aorta))
        above = np.clip((t - 0.44) * 30, 0, 1)
        paint(canvas, 42.0, self._cover(ellipse(x, y, centre=(-23, -8), half=(8.5 * above, 9.5 * above))))
        trunk = np.sqrt(bump(t, centre=0.50, width=0.07))
        paint(canvas, 42.0, self._cover(ellipse(x, y, centre=(19, -30), half=(15 * trunk, 14 * trunk))))
        right = np.sqrt(bump(t, centre=0.47, width=0.05))
        paint(canvas, 42.0, self._cover(ellipse(x, y, centre=(-10, -2), half=(32 * right, 9 * right), degrees=8)))
        for place in ((-14, -6), (2, -12), (15, 4)):  # the three branches of the arch
            branch = 5.5 * np.clip((t - 0.74) * 40, 0, 1)
            paint(canvas, 42.0, self._cover(ellipse(x, y, centre=place, half=(branch, branch))))
        paint(canvas, 34.0, self._cover(ellipse(x, y, centre=(7, b.spine_y - 22), half=(8, 5.5))))
        paint(canvas, 58.0 + 5 * texture, inside * self._cover(self._dome(-1)))
        paint(canvas, 48.0 + 6 * texture, inside * self._cover(self._dome(1)))

    def _paint_bones(self, canvas: Field) -> None:
        """Vertebra with its canal, breastbone, shoulder blades."""
        b, x, y, t = self.build, self.x, self.y, self.level
        spine = b.spine_y
        body = ellipse(x, y, centre=(0, spine), half=(19, 15.5))
        arch = np.minimum.reduce(
            [
                np.abs(ellipse(x, y, centre=(0, spine + 23), half=(13.5, 11.5))) - 2.6,
                np.maximum(np.abs(x) - 2.6, np.abs(y - spine - 43) - 11),
                np.maximum(np.abs(y - spine - 22 - 0.18 * np.abs(x)) - 4.2, np.abs(np.abs(x) - 22) - 13),
            ]
        )
        for bone, shell in ((arch, 2.4), (body, 2.2)):
            paint(canvas, 520.0, self._cover(bone))
            paint(canvas, 190.0, self._cover(bone + shell))
        paint(canvas, 25.0, self._cover(ellipse(x, y, centre=(0, spine + 23), half=(10, 8.5))))
        long = np.clip((t - 0.15) * 12, 0, 1)
        front = self._cage[1] - self._cage[2][1] - 7
        breastbone = ellipse(x, y, centre=(0, front), half=((17 + 12 * np.clip(t - 0.65, 0, 1)) * long, 6.2 * long))
        blade_high = np.clip((t - 0.47) * 9, 0, 1)
        beside = np.abs(self._from_centre[0] - self._wall_radius - 17) - 2.4 * blade_high
        blade = np.maximum(beside, (np.abs(self._around - 0.98) - 0.42 * blade_high) * 100)
        for bone, share in ((breastbone, long), (blade, blade_high)):
            paint(canvas, 380.0, share * self._cover(bone) * self._cover(self.body + 5))
        paint(canvas, 150.0, long * self._cover(breastbone + 2.2))

    def _paint_lungs(self, canvas: Field, texture: Field) -> None:
        """Air and tissue, denser towards the back, with the fissures between the lobes."""
        b, t = self.build, self.level
        weight = np.clip(self.y / b.half_depth_mm, -1, 1)
        lung = b.lung_hu + 32 * weight + 14 * texture + 12 * (0.5 - t)
        oblique = self.y + 190 * (t - 0.42) + 0.08 * np.abs(self.x) - 6 * texture
        lung = lung - 9 * np.tanh(oblique / 12) * (self.x > 0)
        lung = lung + 75 * np.exp(-((oblique / 1.6) ** 2))
        share = self._cover(self.lungs)
        paint(canvas, lung, share)

    def _paint_airway(self, canvas: Field) -> None:
        """Windpipe, its fork and the two main bronchi."""
        t = self.level
        apart = np.clip((0.575 - t) / 0.10, 0, 1)
        there = np.clip((t - 0.455) * 25, 0, 1)
        size = (8.8 - 2.6 * np.clip(apart * 4, 0, 1)) * there
        for side in (-1, 1):
            x = side * (34 - 6 * (side < 0)) * apart - 2
            y = 14 - 6 * apart
            tube = ellipse(self.x, self.y, centre=(x, y), half=(size * (1 + 0.6 * apart), size))
            paint(canvas, 10.0, there * self._cover(tube - 2.0))
        for side in (-1, 1):
            x = side * (34 - 6 * (side < 0)) * apart - 2
            tube = ellipse(self.x, self.y, centre=(x, 14 - 6 * apart), half=(size * (1 + 0.6 * apart), size))
            paint(canvas, -985.0, there * self._cover(tube))
