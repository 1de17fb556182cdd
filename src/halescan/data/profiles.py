"""How each kind of scan is prepared, scored and talked about: one profile a kind, its reasons beside it."""

import json
import tomllib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from halescan.data.stain import check_look
from halescan.errors import SettingError
from halescan.wanted import in_words

Pooling = Literal["mean", "max", "top"]
Stain = Literal["as-is", "macenko", "macenko-marker", "reinhard"]
MaskName = Literal["everything", "body", "lungs", "head", "tissue", "sector"]


class Profile(BaseModel):
    """How one kind of scan becomes images, and how their maps become scores and findings.

    Args:
        name: The word for it on the command line.
        title: The words for it in a report.
        modalities: DICOM modality codes it expects; empty accepts any.
        dims: 2 (volumes are read slice by slice) or 3.
        channels: 1 (grey) or 3 (colour).
        size: Shape of the image grid, `dims` numbers.
        fit: "pad" keeps the aspect ratio, "stretch" fills the image.
        spacing_mm: Distance between the image's pixel centres, where the scan knows its own: the image then shows a
            field of `size * spacing_mm` around the middle of what is looked at, and `fit` is not used. None: the whole.
        intensity: "window" (fixed grey values), "robust" (quantiles inside the mask), "inner" (the median inside the
            mask's rim) or "range" (what the file can hold).
        window_hu: Grey values that become 0 and 1 for "window".
        stain: Whether stained tissue in colour is given one look first: "as-is", "macenko" (by its two dyes),
            "macenko-marker" (the same, the second dye's amount kept beside the first, as in immunohistochemistry) or
            "reinhard" (by mean and spread of its colours: where there is much of a marker, it pales).
        stain_like: That look as numbers, `data.stain.macenko_look(reference).numbers`; None: the one of `data.stain`.
        mask: Where to look: "everything", "body", "lungs", "head", "tissue" or "sector".
        crop_to_mask: Whether the image shows the box around the mask only.
        crop_mask: The mask whose box that is, where it is another than the one looked in; None: the same.
        crop_margin: Room left around that box, as a share of its longer side.
        erode: Share of the image's smaller side taken off the mask's edge before scoring, in [0, 0.2].
        smooth_mm: Standard deviation of the map's smoothing, where spacing is known; 0 is off.
        smooth_px: The same in pixels of the image, used where spacing is unknown.
        median_slices: Odd edge of the 3-D median filter over the ordered slices of a volume; 0 is off.
        standardise: Whether the map is standardised place by place by held-out healthy maps.
        sought: What a finding looks like: "any", or "darker" or "brighter" than healthy images at its place: the
            map then points where both hold; the score counts all that is strange.
        pooling: From a map to a score: "mean", "max", or "top" (mean of the strangest `top_share` of places).
        top_share: Share of the places that "top" pools, in (0, 1].
        slice_pooling: From the scores of the slices to the case's: the rule and, for "top", the share of slices.
        map_quantile: Healthy quantile of the map from which a place belongs to a finding.
        min_finding_mm: Smallest diameter of a finding, where spacing is known.
        min_finding_px: The same in pixels of the scan, used where spacing is unknown.
        places: Which words a place gets: "chest-xray", "lung-ct", "brain" or "none".
        tiles: Tiles of each whole slide that are learned from, at most.
        detector: Name of the recommended detector.
        detector_settings: Its settings, where they differ from its own defaults.
        blind_spots: Keys of `reporting.words` for what this recipe is known to miss.
        look_next: Keys of `reporting.words` for what a reader might look at next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1)
    title: str
    modalities: tuple[str, ...] = ()
    dims: Literal[2, 3] = 2
    channels: Literal[1, 3] = 1
    size: tuple[int, ...] = (224, 224)
    fit: Literal["pad", "stretch"] = "pad"
    spacing_mm: tuple[float, ...] | None = None
    intensity: Literal["window", "robust", "inner", "range"] = "robust"
    window_hu: tuple[float, float] | None = None
    stain: Stain = "as-is"
    stain_like: tuple[float, ...] | None = None
    mask: MaskName = "everything"
    crop_to_mask: bool = False
    crop_mask: MaskName | None = None
    crop_margin: float = Field(default=0.02, ge=0, le=1)
    erode: float = Field(default=0.0, ge=0, le=0.2)
    smooth_mm: float = Field(default=0.0, ge=0, le=100)
    smooth_px: float = Field(default=0.0, ge=0, le=100)
    median_slices: int = Field(default=0, ge=0, le=15)
    standardise: bool = False
    sought: Literal["any", "darker", "brighter"] = "any"
    pooling: Pooling = "top"
    top_share: float = Field(default=0.01, gt=0, le=1)
    slice_pooling: tuple[Pooling, float] = ("top", 0.1)
    map_quantile: float = Field(default=0.995, gt=0, lt=1)
    min_finding_mm: float = Field(default=3.0, ge=0)
    min_finding_px: float = Field(default=5.0, ge=0)
    places: Literal["chest-xray", "lung-ct", "brain", "none"] = "none"
    tiles: int = Field(default=64, ge=1, le=10_000)
    detector: str = "patchcore"
    detector_settings: dict[str, Any] = Field(default_factory=dict)
    blind_spots: tuple[str, ...] = ()
    look_next: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse settings that contradict each other."""
        if len(self.size) != self.dims or min(self.size) < 8 or max(self.size) > 4096:
            raise ValueError(
                f"size must be {self.dims} numbers between 8 and 4096, as dims is {self.dims}; got {[*self.size]}"
            )
        if self.spacing_mm is not None and (len(self.spacing_mm) != self.dims or min(self.spacing_mm) <= 0):
            raise ValueError(
                f"spacing_mm must be {self.dims} numbers above 0, as dims is {self.dims}; got {[*self.spacing_mm]}"
            )
        if self.intensity == "window" and self.window_hu is None:
            raise ValueError('intensity "window" needs window_hu, for example [-1000, 400]')
        if self.window_hu is not None and self.window_hu[0] >= self.window_hu[1]:
            raise ValueError(f"window_hu must be two grey values, the lower one first; got {[*self.window_hu]}")
        if self.median_slices and self.median_slices % 2 == 0:
            raise ValueError(f"median_slices must be odd, or 0 for none; got {self.median_slices}")
        if not 0 < self.slice_pooling[1] <= 1:
            got = json.dumps(self.slice_pooling)
            raise ValueError(f'slice_pooling must be a rule and a share in (0, 1], as ["top", 0.1]; got {got}')
        if self.mask == "tissue" and self.channels == 1:
            raise ValueError('mask "tissue" looks for stained colour and needs channels 3')
        if self.stain != "as-is" and self.channels == 1:
            raise ValueError(f'stain "{self.stain}" needs channels 3')
        if self.stain_like is not None:
            if self.stain == "as-is":
                raise ValueError('stain_like needs a stain: "macenko", "macenko-marker" or "reinhard"')
            check_look(self.stain, self.stain_like)  # a SettingError of ours is a ValueError too
        return self


PROFILES: dict[str, Profile] = {
    "chest-xray": Profile(
        name="chest-xray",
        title="Chest X-ray",
        modalities=("DX", "CR", "RG", "DR"),
        size=(224, 224),  # a 5 mm nodule is 3 pixels of a 400 mm film: the smallest thing a backbone still sees
        fit="pad",  # the width of the heart against the chest is a sign: never squash it
        intensity="robust",  # exposure and processing differ between machines; burnt-in letters are the top 0.5 %
        mask="everything",  # behind the heart and below the diaphragm lie lungs too
        smooth_mm=6.0,
        smooth_px=4.0,
        standardise=True,  # the edges of heart and diaphragm vary in health more than the lung fields do
        pooling="mean",  # pneumonia and effusion are diffuse: many slightly strange places
        map_quantile=0.995,
        min_finding_mm=8.0,
        min_finding_px=8.0,
        places="chest-xray",
        detector="patchcore",
        # deep levels: texture of whole anatomical parts; one grid step around, as patients are posed alike
        detector_settings={"backbone": "mobilenet_v2", "levels": [10, 13, 17], "grid": 14, "neighbourhood": 1},
        blind_spots=(
            "chest-xray-small-nodules",
            "chest-xray-hidden-areas",
            "chest-xray-pneumothorax",
            "chest-xray-pose",
        ),
        look_next=("chest-xray-priors", "chest-xray-lateral", "chest-xray-lines"),
    ),
    "lung-ct": Profile(
        name="lung-ct",
        title="Lung CT",
        modalities=("CT",),
        size=(224, 224),
        fit="stretch",  # with the crop to the body, the same index is about the same anatomy in every patient
        intensity="window",
        window_hu=(-1000.0, 400.0),  # air to contrast-filled vessels; bone is white on purpose
        mask="lungs",  # hulls of the lungs: most consolidation stays inside, what joins the chest wall may not
        crop_to_mask=True,
        crop_mask="body",  # table and air say nothing; the lungs' own box would follow the disease
        crop_margin=0.02,
        smooth_mm=3.0,
        smooth_px=3.0,
        median_slices=3,  # a finding spans slices, noise does not
        standardise=True,
        pooling="mean",  # ground glass and consolidation are diffuse
        slice_pooling=("top", 0.2),  # a tumour fills few slices, an infection many
        min_finding_mm=4.0,  # Fleischner: nodules below 6 mm need no follow-up in most people
        min_finding_px=6.0,
        places="lung-ct",
        detector="patchcore",
        detector_settings={"backbone": "mobilenet_v2", "levels": [3, 6, 10], "grid": 28, "neighbourhood": 1},
        blind_spots=(
            "lung-ct-small-nodules",
            "lung-ct-dense",
            "lung-ct-vessels",
            "lung-ct-mediastinum",
            "lung-ct-contrast",
        ),
        look_next=("lung-ct-other-windows", "lung-ct-priors", "lung-ct-thin-slices"),
    ),
    "brain-mri": Profile(
        name="brain-mri",
        title="Brain MRI (FLAIR)",
        modalities=("MR",),
        size=(128, 128),  # about 1.5 mm a pixel: oedema and tumour, not single lacunes
        fit="pad",  # left and right, front and back keep their proportion
        intensity="inner",  # MRI has no unit: the brain's own median is the measure, which scalp fat does not move
        mask="head",
        crop_to_mask=True,
        crop_margin=0.03,
        erode=0.055,  # 7 of 128 pixels: scalp, fat and skull are the false positives of FLAIR
        smooth_mm=1.5,
        smooth_px=1.0,
        median_slices=3,
        pooling="top",  # a focal disease: the strangest hundredth decides
        top_share=0.01,
        slice_pooling=("max", 1.0),
        min_finding_mm=5.0,
        min_finding_px=6.0,
        places="brain",
        detector="denoising-autoencoder",
        blind_spots=("brain-mri-small-lesions", "brain-mri-isointense", "brain-mri-skull-edge", "brain-mri-sequence"),
        look_next=("brain-mri-other-sequences", "brain-mri-diffusion", "brain-mri-contrast"),
    ),
    "ultrasound": Profile(
        name="ultrasound",
        title="Ultrasound",
        modalities=("US",),
        size=(224, 224),
        fit="pad",
        intensity="range",  # the gain was set by a person, and black is no echo: keep the scale of the screen
        mask="sector",  # what surrounds the fan is the machine's screen
        smooth_mm=1.0,
        smooth_px=4.0,
        sought="darker",  # masses and cysts send back less sound than the tissue around them, with few exceptions
        pooling="top",  # a mass is focal, and fills some hundredths of the picture
        top_share=0.05,
        min_finding_mm=3.0,
        min_finding_px=10.0,
        places="none",  # the probe may lie anywhere
        detector="patchcore",
        # deep levels: a mass is an object, speckle is not; mirror images: the probe has no left and right
        detector_settings={
            "backbone": "mobilenet_v2",
            "levels": [10, 13, 17],
            "grid": 28,
            "neighbourhood": 1,
            "mirror": True,
        },
        blind_spots=("ultrasound-operator", "ultrasound-shadow", "ultrasound-marks", "ultrasound-small"),
        look_next=("ultrasound-second-plane", "ultrasound-doppler", "ultrasound-history"),
    ),
    "histology": Profile(
        name="histology",
        title="Histology patch",
        modalities=("SM",),
        channels=3,  # the stain is the information
        size=(224, 224),
        fit="pad",
        intensity="range",  # a scanner's white stays white: stretching would hide a pale stain
        mask="tissue",
        smooth_mm=0.0003,  # a pixel at 40 x, as in pictures that do not know their spacing
        smooth_px=1.0,
        standardise=True,  # a network sees the border of every picture as strange
        pooling="top",  # a few bacteria decide
        top_share=0.005,
        min_finding_mm=0.0,
        min_finding_px=6.0,
        places="none",
        detector="patchcore",
        # shallow levels at 56 x 56 without averaging: bacteria are a few pixels wide, smaller than three cells of the
        # map; no place is like another, so one bank for all
        detector_settings={
            "backbone": "mobilenet_v2",
            "levels": [2, 3],
            "grid": 56,
            "aggregate": 1,
            "neighbourhood": None,
        },
        blind_spots=("histology-focus", "histology-stain", "histology-architecture", "histology-artefacts"),
        look_next=("histology-higher-power", "histology-neighbouring-sections", "histology-other-stain"),
    ),
    "generic": Profile(
        name="generic",
        title="Other images",
        size=(128, 128),  # nothing is known of the scale: small enough for every detector
        fit="pad",
        intensity="robust",
        mask="everything",
        smooth_mm=2.0,
        smooth_px=2.0,
        pooling="top",  # nothing is known of the disease: a focal one must not drown
        top_share=0.01,
        places="none",
        detector="patchcore",
        detector_settings={"backbone": "mobilenet_v2", "levels": [6, 10, 13], "grid": 16, "neighbourhood": 1},
        blind_spots=("generic-untested", "generic-small", "generic-acquisition"),
        look_next=("generic-original", "generic-priors"),
    ),
}


def load_profile(name_or_toml: str | Path, changes: Mapping[str, Any] | None = None) -> Profile:
    """A profile by name, or from a TOML file of one's own, with changes on top.

    A file holds the fields of `Profile`; with `base = "lung-ct"` it holds only what differs from that profile. Changes
    to `detector_settings` are laid over those of the profile, unless the detector itself changes: another method's
    settings would make no sense to it.

    Raises:
        SettingError: if the name is unknown, the file cannot be read, or a setting is none or out of its range.
    """
    text = str(name_or_toml)
    fields = _from_file(Path(text)) if text.endswith(".toml") else _named(text).model_dump()
    return _build(_overlay(fields, dict(changes or {})), text)


def profile_names() -> tuple[str, ...]:
    """Names of all profiles: ours, then those that installed packages bring."""
    return (*PROFILES, *sorted({point.name for point in entry_points(group="halescan.profiles")} - set(PROFILES)))


def _named(name: str) -> Profile:
    """The profile of this name: from the table, else from an installed package."""
    if name in PROFILES:
        return PROFILES[name]
    for point in entry_points(group="halescan.profiles", name=name):
        found = point.load()
        return found if isinstance(found, Profile) else _build(dict(found), name)
    known = ", ".join(profile_names())
    raise SettingError(f"no profile is called {name!r}; choose one of {known}, or name a file that ends in .toml")


def _from_file(path: Path) -> dict[str, Any]:
    """The fields in a TOML file, laid over its base."""
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}); name a profile or an existing file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: is not TOML: {error}") from error
    fields.setdefault("name", path.stem)
    fields.setdefault("title", fields["name"])
    base = fields.pop("base", None)
    return fields if base is None else _overlay(_named(str(base)).model_dump(), fields)


def _overlay(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Fields with changes on top."""
    same_detector = changes.get("detector", fields.get("detector")) == fields.get("detector")
    known = (same_detector and fields.get("detector_settings")) or {}
    changed = changes.get("detector_settings", {})
    both = isinstance(known, Mapping) and isinstance(changed, Mapping)
    merged = {**known, **changed} if both else known if changed == {} else changed  # one that is no table is refused
    return {**fields, **changes, "detector_settings": merged}


_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_BEYOND = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")


def _build(fields: dict[str, Any], named: str) -> Profile:
    """The profile, or a sentence that says which setting is wrong and what it may be."""
    try:
        return Profile(**fields)
    except ValidationError as error:
        raise SettingError(f"profile {named}: {complaints(error)}") from error


def complaints(error: ValidationError) -> str:
    """What is wrong with the fields of a profile, in our words, each thing once."""
    return "; ".join(dict.fromkeys(_sentence(problem) for problem in error.errors(include_url=False)))


def _sentence(problem: Any) -> str:
    """One of pydantic's complaints in our words."""
    field = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {field!r}; there are {', '.join(Profile.model_fields)}"
    if problem["type"] == "missing":
        return (
            f"{field} is missing"
            if len(problem["loc"]) == 1
            else f"{field} must hold more values, got {len(problem['input'])}"
        )
    if problem["type"] == "too_long":
        return f"{field} must hold {problem['ctx']['max_length']} values, got {len(problem['input'])}"
    if problem["type"] == "string_too_short":
        return f"{field} must not be empty"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    if problem["type"] == "literal_error":
        return f"{field} must be {problem['ctx']['expected']}, got {problem['input']!r}"
    wanted = _range_of(field) if problem["type"] in _BEYOND else in_words(Profile.model_fields[field].annotation)
    return f"{field} must be {wanted}, got {problem['input']!r}{_usual(field)}"


def _usual(field: str) -> str:
    """The way out: what a setting is where a profile does not say."""
    known = Profile.model_fields[field]
    default = None if known.is_required() else known.get_default(call_default_factory=True)
    return "" if default is None else f"; {json.dumps(default)} is usual"


def _range_of(field: str) -> str:
    """What a number may be, in words."""
    bounds = {
        word: getattr(bound, name)
        for bound in Profile.model_fields[field].metadata
        for name, word in _BOUNDS.items()
        if hasattr(bound, name)
    }
    return " and ".join(f"{word} {value:g}" for word, value in bounds.items())
