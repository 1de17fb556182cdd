"""One file per method; `CATALOGUE` is the list of them."""

from importlib import import_module
from importlib.metadata import entry_points

from halescan.detectors.base import Detector
from halescan.errors import SettingError

CATALOGUE: dict[str, str] = {
    "healthy-atlas": "halescan.detectors.healthy_atlas:HealthyAtlas",
    "symmetry": "halescan.detectors.symmetry:Symmetry",
    "autoencoder": "halescan.detectors.autoencoder:Autoencoder",
    "memory-autoencoder": "halescan.detectors.memory_autoencoder:MemoryAutoencoder",
    "vae": "halescan.detectors.vae:VAE",
    "adversarial-autoencoder": "halescan.detectors.adversarial_autoencoder:AdversarialAutoencoder",
    "denoising-autoencoder": "halescan.detectors.denoising_autoencoder:DenoisingAutoencoder",
    "squid": "halescan.detectors.squid:SQUID",
    "simsid": "halescan.detectors.simsid:SimSID",
    "masked-autoencoder": "halescan.detectors.masked_autoencoder:MaskedAutoencoder",
    "riad": "halescan.detectors.riad:RIAD",
    "context-encoder": "halescan.detectors.context_encoder:ContextEncoder",
    "region-inpainting": "halescan.detectors.region_inpainting:RegionInpainting",
    "f-anogan": "halescan.detectors.f_anogan:FAnoGAN",
    "p-net": "halescan.detectors.p_net:PNet",
    "anoddpm": "halescan.detectors.anoddpm:AnoDDPM",
    "guided-diffusion": "halescan.detectors.guided_diffusion:GuidedDiffusion",
    "modality-translation": "halescan.detectors.modality_translation:ModalityTranslation",
    "global-gaussian": "halescan.detectors.global_gaussian:GlobalGaussian",
    "feature-autoencoder": "halescan.detectors.feature_autoencoder:FeatureAutoencoder",
    "synthetic-anomaly": "halescan.detectors.synthetic_anomaly:SyntheticAnomaly",
    "anomaly-dino": "halescan.detectors.anomaly_dino:AnomalyDINO",
    "padim": "halescan.detectors.padim:PaDiM",
    "patchcore": "halescan.detectors.patchcore:PatchCore",
    "reverse-distillation": "halescan.detectors.reverse_distillation:ReverseDistillation",
    "edc": "halescan.detectors.edc:EDC",
    "dinomaly": "halescan.detectors.dinomaly:Dinomaly",
    "uninformed-students": "halescan.detectors.uninformed_students:UninformedStudents",
    "ensemble": "halescan.detectors.ensemble:Ensemble",
}


def catalogue() -> dict[str, str]:
    """`CATALOGUE` and what other packages add by the entry point `halescan.detectors`."""
    return CATALOGUE | {entry.name: entry.value for entry in entry_points(group="halescan.detectors")}


def find_detector(name: str) -> type[Detector]:
    """The class behind a name of the catalogue, imported only now.

    Raises:
        SettingError: if there is no such detector; lists those there are.
    """
    known = catalogue()
    if name not in known:
        raise SettingError(f"no detector is called {name!r}; there are {', '.join(known)}")
    module, _, attribute = known[name].partition(":")
    return getattr(import_module(module), attribute)
