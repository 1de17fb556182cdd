"""What each profile cannot see and what a reader should look at next, as (English, French)."""

_CHEST_XRAY: dict[str, tuple[str, str]] = {
    "chest-xray-small-nodules": (
        "Nodules under 1 cm, and faint ground-glass change, are lost at the resolution used.",
        "Les nodules de moins de 1 cm et le verre dépoli discret sont perdus à la résolution utilisée.",
    ),
    "chest-xray-hidden-areas": (
        "Disease behind the heart, below the diaphragm and at the hila is easily missed on a frontal view.",
        "Les atteintes rétrocardiaques, sous-diaphragmatiques et hilaires échappent facilement sur une incidence de "
        "face.",
    ),
    "chest-xray-pneumothorax": (
        "A thin pneumothorax line, rib fractures and small apical lesions may not raise the score.",
        "Un fin décollement pleural (pneumothorax), des fractures de côtes et de petites lésions apicales peuvent ne "
        "pas élever le score.",
    ),
    "chest-xray-pose": (
        "Supine or rotated films, poor inspiration, lines, tubes and pacemakers can look unusual without disease; so "
        "can burnt-in text, markers and the edge of the picture, which are looked at too.",
        "Un cliché en décubitus ou en rotation, une inspiration insuffisante, des cathéters, sondes ou stimulateurs "
        "cardiaques peuvent paraître inhabituels sans maladie ; de même les textes incrustés, les repères et le bord "
        "de l’image, analysés eux aussi.",
    ),
    "chest-xray-age": (
        "Children and adults differ: a model trained on one age group is not valid for the other.",
        "Enfants et adultes diffèrent : un modèle entraîné sur une tranche d’âge ne vaut pas pour l’autre.",
    ),
    "chest-xray-diffuse": (
        "Diffuse change that is even on both sides, such as mild oedema or emphysema, may pass as a difference in "
        "exposure.",
        "Une atteinte diffuse et symétrique, comme un œdème léger ou un emphysème, peut passer pour une différence "
        "d’exposition.",
    ),
    "chest-xray-priors": (
        "Compare with earlier examinations: what is new matters more than what is unusual.",
        "Comparer aux examens antérieurs : ce qui est nouveau compte plus que ce qui est inhabituel.",
    ),
    "chest-xray-lateral": (
        "A lateral view, or an erect film if this one was taken supine.",
        "Une incidence de profil, ou un cliché debout si celui-ci a été réalisé en décubitus.",
    ),
    "chest-xray-review-areas": (
        "The review areas: apices, hila, behind the heart, below the diaphragm, bones and soft tissue.",
        "Les zones à revoir : apex, hiles, région rétrocardiaque, région sous-diaphragmatique, squelette et parties "
        "molles.",
    ),
    "chest-xray-lines": (
        "Whether a line, a tube or the patient’s position explains the marked region.",
        "Vérifier si un cathéter, une sonde ou la position du patient explique la région marquée.",
    ),
    "chest-xray-question": (
        "The clinical question, temperature and laboratory values.",
        "La question clinique, la température et la biologie.",
    ),
}

_LUNG_CT: dict[str, tuple[str, str]] = {
    "lung-ct-mediastinum": (
        "The lung window hides the mediastinum, bone, liver and the chest wall: they are not examined.",
        "La fenêtre pulmonaire ne montre ni le médiastin, ni l’os, ni le foie, ni la paroi thoracique : ils ne sont "
        "pas analysés.",
    ),
    "lung-ct-small-nodules": (
        "Nodules under 5 mm and those touching a vessel or the pleura may look like healthy anatomy.",
        "Les nodules de moins de 5 mm et ceux au contact d’un vaisseau ou de la plèvre peuvent se confondre avec "
        "l’anatomie saine.",
    ),
    "lung-ct-dense": (
        "Only the lungs are looked at: an effusion, consolidation or tumour as dense as the chest wall and joined to "
        "it can fall outside and is then not scored. Where one lung ends before the other, as over the diaphragm, and "
        "at the trachea, healthy tissue beside the lungs can fall inside and be marked.",
        "Seuls les poumons sont analysés : un épanchement, une condensation ou une tumeur de même densité que la "
        "paroi thoracique et à son contact peut se trouver hors de la zone analysée ; le score n’en tient alors pas "
        "compte. Là où un poumon s’arrête avant l’autre, comme au-dessus du diaphragme, et à la trachée, des tissus "
        "sains voisins peuvent se trouver dans la zone et être marqués.",
    ),
    "lung-ct-vessels": (
        "Pulmonary emboli and other vascular disease cannot be seen: contrast inside vessels is not assessed.",
        "L’embolie pulmonaire et les autres atteintes vasculaires ne sont pas visibles ici : l’opacification des "
        "vaisseaux n’est pas analysée.",
    ),
    "lung-ct-kernel": (
        "A sharp reconstruction kernel, thin slices, low dose or motion change texture and can raise the score.",
        "Un filtre de reconstruction dur, des coupes fines, une faible dose ou des artefacts de mouvement modifient "
        "la texture et peuvent élever le score.",
    ),
    "lung-ct-dependent": (
        "Dependent density, expiration and dependent atelectasis are common without disease.",
        "Les hyperdensités déclives, l’expiration et les atélectasies déclives sont fréquentes sans maladie.",
    ),
    "lung-ct-single-slice": (
        "Slices are judged one by one; a change that shows only across slices may be missed.",
        "Les coupes sont analysées une à une ; une atteinte visible seulement d’une coupe à l’autre peut échapper.",
    ),
    "lung-ct-contrast": (
        "Contrast medium brightens vessels and enhancing tissue; a model trained without it may mark them.",
        "Le produit de contraste rehausse vaisseaux et tissus ; un modèle entraîné sans injection peut les marquer.",
    ),
    "lung-ct-priors": (
        "Compare with earlier scans: growth matters more than size.",
        "Comparer aux scanners antérieurs : l’évolution compte plus que la taille.",
    ),
    "lung-ct-other-windows": (
        "The same level in the mediastinal and bone windows.",
        "Le même niveau en fenêtres médiastinale et osseuse.",
    ),
    "lung-ct-neighbour-slices": (
        "The slices above and below the marked one, and coronal and sagittal reformats.",
        "Les coupes sus- et sous-jacentes à la coupe marquée, et les reconstructions coronales et sagittales.",
    ),
    "lung-ct-prone": (
        "For dependent density: prone images or a later scan in full inspiration.",
        "Devant une hyperdensité déclive : une acquisition en procubitus, ou un scanner ultérieur en inspiration "
        "complète.",
    ),
    "lung-ct-thin-slices": (
        "Thin slices, if this series is thick, and the size on earlier scans.",
        "Des coupes fines si cette série est épaisse, et la taille sur les examens antérieurs.",
    ),
}

_BRAIN_MRI: dict[str, tuple[str, str]] = {
    "brain-mri-small-lesions": (
        "Lesions under 5 mm are lost at the resolution used.",
        "Les lésions de moins de 5 mm sont perdues à la résolution utilisée.",
    ),
    "brain-mri-isointense": (
        "Lesions as bright as their surroundings on this sequence do not stand out: small metastases, early infarcts.",
        "Les lésions isointenses sur cette séquence ne ressortent pas : petites métastases, infarctus précoces.",
    ),
    "brain-mri-skull-edge": (
        "The outermost millimetres of the brain and the skull base are left out or unreliable.",
        "Les millimètres les plus superficiels du cerveau et la base du crâne sont exclus ou peu fiables.",
    ),
    "brain-mri-white-matter": (
        "White-matter spots that come with age count as unusual if the healthy reference is younger.",
        "Les hypersignaux de la substance blanche liés à l’âge comptent comme inhabituels si la référence saine est "
        "plus jeune.",
    ),
    "brain-mri-artefacts": (
        "Motion, bias field, fat and flow artefacts can raise the score without a lesion.",
        "Les artefacts de mouvement, d’hétérogénéité de champ, de graisse ou de flux peuvent élever le score sans "
        "lésion.",
    ),
    "brain-mri-atrophy": (
        "Even loss of volume and slow shifts of structures are judged poorly slice by slice.",
        "Une atrophie diffuse et un effet de masse progressif se jugent mal coupe par coupe.",
    ),
    "brain-mri-sequence": (
        "Only the sequence given was read; another sequence may show what this one hides.",
        "Seule la séquence fournie a été lue ; une autre peut montrer ce que celle-ci cache.",
    ),
    "brain-mri-other-sequences": (
        "The same place on T1 before and after contrast, T2, diffusion and susceptibility images.",
        "Le même endroit en T1 avant et après injection, en T2, en diffusion et en susceptibilité magnétique.",
    ),
    "brain-mri-diffusion": (
        "Diffusion images and the ADC map at the same place.",
        "Les images de diffusion et la cartographie ADC au même endroit.",
    ),
    "brain-mri-contrast": (
        "T1 images after contrast, where contrast was given.",
        "Les images T1 après injection, s’il y en a eu une.",
    ),
    "brain-mri-priors": (
        "Compare with earlier examinations: growth and a change of signal matter most.",
        "Comparer aux examens antérieurs : la croissance et le changement de signal comptent le plus.",
    ),
    "brain-mri-other-side": ("The mirrored place on the other side.", "L’endroit symétrique, du côté opposé."),
    "brain-mri-age": (
        "Whether the finding fits the patient’s age.",
        "Vérifier que l’aspect est compatible avec l’âge du patient.",
    ),
}

_ULTRASOUND: dict[str, tuple[str, str]] = {
    "ultrasound-operator": (
        "What the operator did not scan cannot be found: one frame is not the organ.",
        "Ce que l’opérateur n’a pas exploré ne peut être trouvé : une image n’est pas l’organe.",
    ),
    "ultrasound-shadow": (
        "Acoustic shadow, enhancement and reverberation can look like lesions, and can hide them.",
        "Les cônes d’ombre, renforcements postérieurs et réverbérations peuvent imiter des lésions ou les masquer.",
    ),
    "ultrasound-small": (
        "Lesions as bright as the tissue around them and calcifications under 2 mm are easily missed.",
        "Les lésions isoéchogènes et les calcifications de moins de 2 mm échappent facilement.",
    ),
    "ultrasound-marks": (
        "Another device, probe, depth or gain looks unusual by itself; callipers and text on the image do too.",
        "Un autre échographe, une autre sonde, une autre profondeur ou un autre gain paraît inhabituel en soi ; de "
        "même les curseurs de mesure et les textes incrustés.",
    ),
    "ultrasound-density": (
        "Dense or fatty tissue outside the range of the healthy reference raises the score.",
        "Un tissu dense ou graisseux plus que ceux de la référence saine élève le score.",
    ),
    "ultrasound-history": (
        "The history, what can be felt, and earlier examinations.",
        "L’histoire clinique, la palpation et les examens antérieurs.",
    ),
    "ultrasound-second-plane": (
        "The marked place in a second plane, and with compression.",
        "L’endroit marqué dans un second plan de coupe, et sous compression.",
    ),
    "ultrasound-doppler": (
        "Doppler and elastography of the marked place.",
        "Doppler et élastographie de l’endroit marqué.",
    ),
    "ultrasound-mammography": (
        "In the breast: mammography at the same place.",
        "Au sein : la mammographie au même endroit.",
    ),
    "ultrasound-annotations": (
        "Whether callipers, text or the edge of the fan explain the marked region.",
        "Vérifier si des curseurs, un texte ou le bord du secteur expliquent la région marquée.",
    ),
}

_HISTOLOGY: dict[str, tuple[str, str]] = {
    "histology-stain": (
        "Another stain, scanner or batch of reagents looks unusual by itself.",
        "Une autre coloration, un autre scanner ou lot de réactifs paraît inhabituel en soi.",
    ),
    "histology-focus": (
        "Fields out of focus hide what is there and look unusual by themselves.",
        "Les champs flous cachent leur contenu et paraissent inhabituels en soi.",
    ),
    "histology-rare-organisms": (
        "A few single organisms or cells in a large field may not raise the score.",
        "Quelques micro-organismes ou cellules isolés dans un grand champ peuvent ne pas élever le score.",
    ),
    "histology-architecture": (
        "Change of architecture wider than a patch, and depth of invasion, are not assessed.",
        "Une atteinte de l’architecture plus large qu’une vignette et la profondeur d’invasion ne sont pas évaluées.",
    ),
    "slide-architecture": (
        "Change of architecture wider than a tile, and depth of invasion, are not assessed: each tile is judged alone.",
        "Une atteinte de l’architecture plus large qu’une tuile et la profondeur d’invasion ne sont pas évaluées : "
        "chaque tuile est jugée seule.",
    ),
    "histology-artefacts": (
        "Folds, bubbles, pen marks and crushed tissue are marked as unusual.",
        "Les plis, bulles, traits de feutre et tissus écrasés sont marqués comme inhabituels.",
    ),
    "histology-sampling": (
        "Only the patches given were read; the rest of the slide is unknown.",
        "Seules les vignettes fournies ont été lues ; le reste de la lame est inconnu.",
    ),
    "histology-higher-power": (
        "The marked place at higher magnification on the slide itself.",
        "L’endroit marqué à plus fort grossissement sur la lame elle-même.",
    ),
    "histology-other-stain": (
        "A neighbouring section with another stain, and the positive control.",
        "Une coupe voisine avec une autre coloration, et le témoin positif.",
    ),
    "histology-neighbouring-sections": (
        "Other fields and levels of the same biopsy.",
        "D’autres champs et niveaux de la même biopsie.",
    ),
}

_GENERIC: dict[str, tuple[str, str]] = {
    "generic-untested": (
        "This profile was tuned to no kind of scan: test it on known cases before relying on any of its numbers.",
        "Ce profil n’est réglé pour aucun type d’examen : testez-le sur des cas connus avant de vous fier à ses "
        "chiffres.",
    ),
    "generic-small": (
        "Changes smaller than a few pixels at the resolution used are lost.",
        "Les atteintes de moins de quelques pixels à la résolution utilisée se perdent.",
    ),
    "generic-acquisition": (
        "Healthy variation that the reference does not hold (age, sex, device, position) counts as unusual.",
        "Les variations saines absentes de la référence (âge, sexe, appareil, position) comptent comme inhabituelles.",
    ),
    "generic-common": (
        "Disease that was common in the supposedly healthy reference has been learned as healthy.",
        "Une maladie fréquente dans la référence supposée saine a été apprise comme saine.",
    ),
    "generic-no-anatomy": (
        "This profile knows no anatomy: it neither masks the body nor names places.",
        "Ce profil ne connaît pas l’anatomie : il ne délimite pas le corps et ne nomme pas les localisations.",
    ),
    "generic-original": (
        "The original images at full resolution, in your own viewer.",
        "Les images d’origine en pleine résolution, sur votre console.",
    ),
    "generic-priors": (
        "Compare with earlier examinations of the same patient.",
        "Comparer aux examens antérieurs du même patient.",
    ),
    "generic-artefact": (
        "Whether an artefact, a device or the patient’s position explains the marked region.",
        "Vérifier si un artefact, un dispositif ou la position du patient explique la région marquée.",
    ),
}

CLINICAL: dict[str, tuple[str, str]] = {
    **_CHEST_XRAY,
    **_LUNG_CT,
    **_BRAIN_MRI,
    **_ULTRASOUND,
    **_HISTOLOGY,
    **_GENERIC,
}

#: Advice that speaks of a marked place: not given where nothing is marked.
ABOUT_A_PLACE = frozenset(
    {
        "chest-xray-lines",
        "lung-ct-other-windows",
        "lung-ct-neighbour-slices",
        "lung-ct-prone",
        "lung-ct-thin-slices",
        "brain-mri-other-sequences",
        "brain-mri-diffusion",
        "brain-mri-contrast",
        "brain-mri-other-side",
        "brain-mri-age",
        "ultrasound-second-plane",
        "ultrasound-doppler",
        "ultrasound-mammography",
        "ultrasound-annotations",
        "histology-higher-power",
        "histology-other-stain",
        "generic-artefact",
    }
)
