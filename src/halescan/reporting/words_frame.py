"""The words of the report's frame: headings, verdicts, labels and captions, as (English, French)."""

FRAME: dict[str, tuple[str, str]] = {
    # every page
    "research-use": ("Research use only", "Usage réservé à la recherche"),
    "research-use-long": (
        "Research use only. Not a medical device; not for diagnosis or treatment.",
        "Usage réservé à la recherche. Ceci n’est pas un dispositif médical ; ne pas utiliser pour le diagnostic ni "
        "le traitement.",
    ),
    "report-title": ("Anomaly report", "Compte rendu de recherche d’anomalies"),
    "case": ("Case", "Cas"),
    "examined": ("Examined", "Analysé le"),
    "page": ("Page", "Page"),
    # the verdict
    "verdict": ("Result", "Résultat"),
    "headline-above": ("Unusual relative to the healthy reference", "Inhabituel par rapport à la référence saine"),
    "headline-not-above": ("No deviation above the set threshold", "Aucun écart au-dessus du seuil fixé"),
    "headline-region-alone": (
        "The score is not above the set threshold; a region is above its own",
        "Score sous le seuil fixé ; une zone dépasse le sien",
    ),
    "headline-withheld": ("Scored, but no decision is made", "Score calculé, sans décision"),
    "headline-other-modality": (
        "Read with caution: not the kind of scan this model was made for",
        "À lire avec prudence : examen d’un autre type que ceux du modèle",
    ),
    "headline-unlike-training": (
        "Read with caution: unlike the training scans",
        "À lire avec prudence : différent des examens d’apprentissage",
    ),
    "decision-above": (
        "The score lies above the threshold set for a false-alarm rate of {rate:%}: about {rate:%} of healthy {units} "
        "would be flagged as well.",
        "Le score dépasse le seuil fixé pour un taux de faux positifs de {rate:%} : environ {rate:%} des {units} le "
        "dépasseraient aussi.",
    ),
    "decision-not-above": (
        "The score does not exceed the threshold set for a false-alarm rate of {rate:%}. This does not rule out "
        "disease: see the blind spots below.",
        "Le score ne dépasse pas le seuil fixé pour un taux de faux positifs de {rate:%}. Cela n’exclut pas une "
        "maladie : voir les angles morts ci-dessous.",
    ),
    "decision-above-doubtful": (
        "The score lies above the threshold, but the p-value and the false-alarm rate of {rate:%} hold for scans like "
        "the training scans only.",
        "Le score dépasse le seuil, mais la valeur p et le taux de faux positifs de {rate:%} ne valent que pour des "
        "examens semblables à ceux de l’apprentissage.",
    ),
    "decision-not-above-doubtful": (
        "The score does not exceed the threshold, but the p-value and the false-alarm rate of {rate:%} hold for scans "
        "like the training scans only. This does not rule out disease.",
        "Le score ne dépasse pas le seuil, mais la valeur p et le taux de faux positifs de {rate:%} ne valent que "
        "pour des examens semblables à ceux de l’apprentissage. Cela n’exclut pas une maladie.",
    ),
    "decision-withheld": (
        "The score, its p-value and the map stand; only the yes-or-no decision is withheld.",
        "Le score, sa valeur p et la carte restent utilisables ; seule la décision (oui ou non) n’est pas rendue.",
    ),
    "region-alone": (
        "Score and regions have thresholds of their own, each set at a false-alarm rate of {rate:%}: among healthy "
        "cases one or the other is passed more often than that.",
        "Le score et les zones ont chacun leur seuil, fixé à un taux de faux positifs de {rate:%} : parmi les cas "
        "sains, l’un ou l’autre est dépassé plus souvent.",
    ),
    "p-in-words-none": (
        "Of {units_count} healthy {units}, none looked at least this strange: {p}. With more healthy {units} the "
        "bound would be finer.",
        "Sur {units_count} {units}, aucun score n’est aussi élevé : {p}. Une référence plus nombreuse permettrait une "
        "borne plus fine.",
    ),
    "p-in-words-one": (
        "Of {units_count} healthy {units}, one looked at least this strange: {p}.",
        "Sur {units_count} {units}, un seul score est au moins aussi élevé : {p}.",
    ),
    "p-in-words-share": (
        "Of {units_count} healthy {units}, each counted by the share of its scans, {share:%} looked at least this "
        "strange: {p}.",
        "Sur {units_count} {units}, où chacun compte pour la part de ses examens, {share:%} ont un score au moins "
        "aussi élevé : {p}.",
    ),
    "p-in-words-many": (
        "Of {units_count} healthy {units}, {count} looked at least this strange: {p}.",
        "Sur {units_count} {units}, {count} scores sont au moins aussi élevés : {p}.",
    ),
    "p-in-words-all": (
        "All {units_count} healthy {units} looked at least this strange: {p}.",
        "Sur {units_count} {units}, tous les scores sont au moins aussi élevés : {p}.",
    ),
    "p-is-not": (
        "p is the share of healthy {units} at least this strange, this case counted among them; it is not the "
        "probability of disease.",
        "p est la proportion de {units} dont le score est au moins aussi élevé, ce cas compris ; ce n’est pas la "
        "probabilité d’une maladie.",
    ),
    "p-missing": (
        "This score has no calibration on healthy cases, so no p-value is given.",
        "Ce score n’est pas étalonné sur des cas sains : aucune valeur p n’est donnée.",
    ),
    "uncalibrated-volume": (
        "The model was calibrated on single images, and this is a volume read slice by slice: its score has nothing "
        "to be compared with, so there is neither p-value nor decision. Calibrating on healthy volumes (halescan "
        "recalibrate) would give both.",
        "Le modèle a été étalonné sur des images isolées, et ceci est un volume lu coupe par coupe : son score ne "
        "peut être comparé à rien, d’où ni valeur p ni décision. Un étalonnage sur des volumes sains (halescan "
        "recalibrate) donnerait les deux.",
    ),
    "uncalibrated-image": (
        "The model was calibrated on whole volumes, and this is a single image: its score has nothing to be compared "
        "with, so there is neither p-value nor decision. Calibrating on healthy single images (halescan recalibrate) "
        "would give both.",
        "Le modèle a été étalonné sur des volumes entiers, et ceci est une image isolée : son score ne peut être "
        "comparé à rien, d’où ni valeur p ni décision. Un étalonnage sur des images isolées saines (halescan "
        "recalibrate) donnerait les deux.",
    ),
    # "healthy" stands in the English sentences, because French needs it after the noun; French sentences agree with
    # "score" and not with the unit, whose gender changes
    "units-case": ("cases", "cas sains"),
    "units-patient": ("patients", "patients sains"),
    "units-image": ("images", "images saines"),
    "score": ("Score", "Score"),
    "p-value": ("p-value", "Valeur p"),
    "threshold": ("Threshold", "Seuil"),
    "false-alarms": ("False-alarm rate", "Taux de faux positifs"),
    "calibrated-on": ("Calibrated on", "Étalonné sur"),
    "calibration": ("Calibration", "Étalonnage"),
    "calibration-none": ("none for this kind of case", "aucun pour ce type de cas"),
    "calibration-nobody": ("none", "aucun"),
    "calibrated-on-value": ("{units_count} healthy {units}", "{units_count} {units}"),
    "guarantee-split": ("split conformal", "prédiction conforme, part réservée"),
    "guarantee-cross": ("cross-conformal (weaker guarantee)", "conforme croisée (garantie plus faible)"),
    "guarantee-none": ("not calibrated", "non étalonné"),
    "notes": ("Please note", "À noter"),
    "about-scan": ("Scan {number}: {text}", "Examen {number} : {text}"),
    "about-scans": ("Scans {number}: {text}", "Examens {number} : {text}"),
    # pictures
    "images": ("Images", "Images"),
    "scan-number": ("Scan {number} of {count}", "Examen {number} sur {count}"),
    "all-scans": ("All scans of the case", "Tous les examens du cas"),
    "picture-scan": ("As acquired", "Image acquise"),
    "picture-scan-slice": ("As acquired, slice {slice} of {count}", "Image acquise, coupe {slice} sur {count}"),
    "key-finding": ("through the peak of region 1", "au maximum de la région 1"),
    "key-strangest": ("the slice with the highest score", "coupe du score le plus élevé"),
    "key-peak": ("through the strangest place of the map", "au maximum de la carte"),
    "overlay-slice": ("slice {slice} of {count}", "coupe {slice} sur {count}"),
    "picture-map": ("With the map of strangeness", "Avec la carte des écarts"),
    "picture-outlines": ("With the outlined regions", "Avec les régions entourées"),
    "picture-map-alt": (
        "The scan with the map of strangeness laid over it; {count} regions outlined and numbered",
        "L’image et, en surimpression, la carte des écarts ; {count} régions entourées et numérotées",
    ),
    "picture-scan-alt": ("The scan as acquired", "L’image telle qu’acquise"),
    "map-strength": ("Map strength", "Intensité de la carte"),
    "legend": ("How rarely a healthy place is at least this strange", "Rareté d’un tel écart dans les zones saines"),
    "legend-tick": ("1 in {count}", "1 sur {count}"),
    "legend-fixed": (
        "The scale is the same in every report; below 1 in 10 nothing is coloured, and the rarer, the more opaque.",
        "L’échelle est la même dans tous les comptes rendus ; en deçà de 1 sur 10, rien n’est coloré ; plus l’écart "
        "est rare, plus la couleur est opaque.",
    ),
    "no-tail": (
        "The map is not calibrated on healthy places, so no colours are shown.",
        "La carte n’est pas étalonnée sur des zones saines : aucune couleur n’est affichée.",
    ),
    "radiological": (
        "Radiological convention: the patient’s right is on the left of the picture.",
        "Convention radiologique : la droite du patient est à gauche de l’image.",
    ),
    "orientation-unknown": (
        "The file does not say how the image is oriented; it is shown as stored.",
        "Le fichier ne précise pas l’orientation de l’image ; elle est affichée telle qu’enregistrée.",
    ),
    "sides-assumed": (
        "The file does not say how the image is oriented; sides are named as if the patient’s right were on its left.",
        "Le fichier ne précise pas l’orientation de l’image ; les côtés sont nommés en supposant la droite du patient "
        "à gauche de l’image.",
    ),
    "montage": ("Slices", "Coupes"),
    "strangest-tiles": ("Strangest tiles", "Tuiles les plus inhabituelles"),
    "strangest-tiles-caption": (
        "The {count} tiles with the highest scores, of {tiles} examined; 1 is the strangest",
        "Les {count} tuiles de score le plus élevé, sur {tiles} examinées ; 1 est la plus inhabituelle",
    ),
    "picture-slide": ("The slide", "La lame"),
    "fact-slide-size": ("{width} × {height} px at {um} µm", "{width} × {height} px à {um} µm"),
    "fact-slide-tiles": ("{tiles} tiles at {um} µm per pixel", "{tiles} tuiles à {um} µm par pixel"),
    "fact-slide-tissue": ("Tissue {area}", "Tissu {area}"),
    "finding-index-slide": ("Peak on level 0 (x, y; px)", "Maximum au niveau 0 (x, y ; px)"),
    "finding-from-corner": ("From the top left corner (x, y)", "Depuis le coin supérieur gauche (x, y)"),
    "montage-caption": (
        "{shown} of {count} slices: evenly spaced, with those of the regions and the one with the highest score; "
        "number = slice",
        "{shown} coupes sur {count}, régulièrement espacées, avec celles des régions et celle du score le plus élevé "
        "; numéro = coupe",
    ),
    "slice-scores": ("Score of each slice", "Score de chaque coupe"),
    "slice-scores-help": (
        "Bars start at 0, the method’s own zero; a gap is a slice on which nothing was examined.",
        "Les barres partent de 0, le zéro de la méthode ; un vide est une coupe sur laquelle rien n’a été analysé.",
    ),
    "slice-shown": ("slice {slice}, shown above", "coupe {slice}, affichée plus haut"),
    "slice-shown-strangest": (
        "slice {slice}, highest score, shown above",
        "coupe {slice}, score le plus élevé, affichée plus haut",
    ),
    "slice-strangest": ("slice {slice}, highest score", "coupe {slice}, score le plus élevé"),
    "slice-scores-alt": (
        "Score of each of {count} slices; the highest is slice {slice}",
        "Score de chacune des {count} coupes ; le plus élevé est celui de la coupe {slice}",
    ),
    "slice": ("Slice", "Coupe"),
    "reconstruction": ("What the method expected", "Ce que la méthode attendait"),
    "picture-shown": ("As the method saw it", "Image vue par la méthode"),
    "picture-reconstruction": ("Its healthy reconstruction", "Reconstruction saine"),
    "picture-difference": (
        "Difference: orange brighter, blue darker than expected",
        "Différence : en orange, plus clair qu’attendu ; en bleu, plus sombre",
    ),
    "difference-scale": (
        "Full colour is a difference of half the grey range or more.",
        "La couleur est pleine à partir d’un écart égal à la moitié de l’échelle de gris.",
    ),
    "neighbours": ("Nearest healthy examples", "Exemples sains les plus proches"),
    "neighbours-caption": (
        "The remembered healthy images most like this one, nearest first",
        "Les images saines mémorisées les plus ressemblantes, de la plus proche à la moins proche",
    ),
    # findings
    "findings": (
        "Regions unusual relative to the healthy reference",
        "Régions inhabituelles par rapport à la référence saine",
    ),
    "no-findings": (
        "No region stands out above the threshold of the map.",
        "Aucune région ne dépasse le seuil de la carte.",
    ),
    "no-regions-told": (
        "No region is listed, as {share:%} of what was examined lies above the threshold of the map.",
        "Aucune région n’est listée, car {share:%} de la zone analysée dépasse le seuil de la carte.",
    ),
    "strangest-place": ("The strangest place: {place}.", "Point le plus inhabituel : {place}."),
    "no-location-short": ("This method gives no location.", "Cette méthode ne donne pas de localisation."),
    "finding-place": ("Place", "Localisation"),
    "finding-size": ("Size", "Taille"),
    "finding-peak": ("At its peak", "Au point maximal"),
    "finding-p": ("p-value of the region", "Valeur p de la région"),
    "finding-index": ("Peak voxel (x, y, z; from 0)", "Voxel du maximum (x, y, z ; base 0)"),
    "finding-index-2d": ("Peak pixel (x, y; from 0)", "Pixel du maximum (x, y ; base 0)"),
    "finding-centre": ("Centre (LPS, mm)", "Centre (LPS, mm)"),
    "finding-number": ("Region {number}", "Région {number}"),
    "finding-above": ("above the threshold", "au-dessus du seuil"),
    "finding-not-above": ("not above the threshold", "sous le seuil"),
    "finding-alt": ("Close-up of region {number}", "Vue agrandie de la région {number}"),
    "finding-rarity": (
        "1 in {count} healthy places is at least this strange",
        "1 point sain sur {count} s’écarte au moins autant",
    ),
    "finding-rarity-cap": (
        "at most 1 in {count} healthy places is this strange",
        "au plus 1 point sain sur {count} s’écarte autant",
    ),
    "findings-help": (
        "Peak, size and place describe the picture; they name no disease.",
        "Maximum, taille et localisation décrivent l’image ; ils ne désignent aucune maladie.",
    ),
    "findings-p-help": (
        "The p-value of a region is the share of healthy cases showing anywhere a place this strange. Peak, size and "
        "place describe the picture; they name no disease.",
        "La valeur p d’une région est la proportion de cas sains présentant, où que ce soit, un point qui s’écarte au "
        "moins autant. Maximum, taille et localisation décrivent l’image ; ils ne désignent aucune maladie.",
    ),
    "finding-slice": ("slice {slice}", "coupe {slice}"),
    "finding-slices": ("slices {first}–{last}, peak on {peak}", "coupes {first} à {last}, maximum coupe {peak}"),
    "findings-threshold": (
        "A region is outlined where the map exceeds what {quantile:%} of healthy places stay below.",
        "Une région est entourée là où la carte dépasse le niveau en dessous duquel restent {quantile:%} des points "
        "sains.",
    ),
    "longest-diameter": ("longest diameter {value}", "grand axe {value}"),
    # histogram
    "histogram": ("The score among the healthy reference", "Le score au sein de la référence saine"),
    "histogram-alt": (
        "Histogram of {count} healthy calibration scores; this case scores {score}, the threshold is {threshold}",
        "Histogramme de {count} scores d’étalonnage sains ; ce cas obtient {score}, le seuil est {threshold}",
    ),
    "histogram-healthy": ("healthy reference ({count} scores)", "référence saine ({count} scores)"),
    "histogram-healthy-of": (
        "healthy reference ({count} scores of {units_count} {units})",
        "référence saine ({count} scores de {units_count} {units})",
    ),
    "histogram-healthy-copies": (
        "healthy reference ({count} scores; {units_count} {units}, as copies count once)",
        "référence saine ({count} scores ; {units_count} {units}, les copies comptant une fois)",
    ),
    "histogram-score": ("this case {value}", "ce cas : {value}"),
    "histogram-threshold": ("threshold {value}", "seuil : {value}"),
    "histogram-axis": ("score: larger is stranger", "score : plus il est élevé, plus l’écart est grand"),
    # the model
    "model": ("The model behind this report", "Le modèle utilisé"),
    "model-name": ("Model", "Modèle"),
    "model-detector": ("Detector", "Détecteur"),
    "model-source": ("Source", "Source"),
    "model-profile": ("Profile", "Profil"),
    "model-trained-on": ("Made from", "Établi à partir de"),  # some of them calibrate
    "model-trained-on-images": ("{images} healthy images", "{images} images saines"),
    "model-trained-on-patients": (
        "{images} healthy images of {patients} patients",
        "{images} images saines de {patients} patients",
    ),
    "model-trained": ("Trained", "Entraîné le"),
    "model-version": ("Halescan version", "Version de Halescan"),
    "model-fingerprint": ("Fingerprint", "Empreinte"),
    "blind-spots": ("Blind spots of this profile", "Angles morts de ce profil"),
    "blind-spots-remain": (
        "What remains to be looked at: the blind spots of this profile",
        "Ce qui reste à vérifier : les angles morts de ce profil",
    ),
    "look-next": ("What to look at next", "Que vérifier ensuite"),
    "look-next-any": ("In any case", "Dans tous les cas"),
    "fact-spacing": ("Spacing", "Taille du voxel"),
    "fact-spacing-unknown": ("unknown", "inconnue"),
    "fact-score": ("Score", "Score"),
    "fact-window": ("Window", "Fenêtre"),
    "footer": (
        "A region unusual relative to the healthy reference is not a diagnosis, and its absence is not a finding of "
        "health.",
        "Une région inhabituelle par rapport à la référence saine n’est pas un diagnostic, et l’absence d’une telle "
        "région ne démontre pas la bonne santé.",
    ),
    # places
    "left": ("left", "à gauche"),
    "right": ("right", "à droite"),
    "midline": ("midline", "sur la ligne médiane"),
    "upper-zone": ("upper zone", "tiers supérieur"),
    "mid-zone": ("mid zone", "tiers moyen"),
    "lower-zone": ("lower zone", "tiers inférieur"),
    "film-edge": ("edge of the film", "bord du cliché"),
    "anterior": ("anterior", "en avant"),
    "posterior": ("posterior", "en arrière"),
    "superior": ("superior", "en haut"),
    "inferior": ("inferior", "en bas"),
    "central": ("central", "au centre"),
    "peripheral": ("peripheral", "en périphérie"),
    # profiles
    "profile-chest-xray": ("Chest X-ray", "Radiographie thoracique"),
    "profile-lung-ct": ("Lung CT", "Scanner thoracique, poumons"),
    "profile-brain-mri": ("Brain MRI", "IRM cérébrale"),
    "profile-ultrasound": ("Ultrasound", "Échographie"),
    "profile-histology": ("Histology", "Histologie"),
    "profile-generic": ("Generic", "Générique"),
    # in what scans can differ from others
    "features-more": ("{features} and {count} more", "{features} et {count} autres critères"),
    "feature-mean": ("overall brightness", "luminosité d’ensemble"),
    "feature-std": ("contrast", "contraste"),
    "feature-p05": ("how dark its dark parts are", "noirceur des parties sombres"),
    "feature-p50": ("typical brightness", "luminosité typique"),
    "feature-p95": ("how bright its bright parts are", "clarté des parties claires"),
    "feature-entropy": ("variety of grey values", "variété des niveaux de gris"),
    "feature-height": ("height in pixels", "hauteur en pixels"),
    "feature-width": ("width in pixels", "largeur en pixels"),
    "feature-depth": ("number of slices", "nombre de coupes"),
    "feature-aspect": ("ratio of width to height", "rapport largeur sur hauteur"),
    "feature-mask_share": (
        "how much of the picture the examined body part fills",
        "part de l’image qu’occupe la région du corps examinée",
    ),
    "feature-spacing_mm": ("pixel spacing", "taille des pixels"),
    "feature-slice_spacing_mm": ("slice spacing", "intervalle entre coupes"),
    "format-dicom": ("DICOM", "DICOM"),
    "format-nifti": ("NIfTI", "NIfTI"),
    "format-metaimage": ("MetaImage or NRRD", "MetaImage ou NRRD"),
    "format-raster": ("a picture (PNG, JPEG, TIFF or BMP)", "une image (PNG, JPEG, TIFF ou BMP)"),
    "format-arrays": ("NumPy arrays", "des tableaux NumPy"),
    "format-slide": ("a whole slide", "une lame entière"),
    "unit-score": ("score", "score"),
    "unit-mean absolute error": ("mean absolute error", "erreur absolue moyenne"),
    "feature-spacing": ("known or unknown pixel spacing", "taille des pixels, connue ou non"),
    "feature-embedding": ("overall look", "aspect général"),
    "feature-modality": ("modality", "modalité"),
    "feature-Manufacturer": ("manufacturer", "fabricant"),
    "feature-ManufacturerModelName": ("machine", "appareil"),
    "feature-ConvolutionKernel": ("reconstruction kernel", "filtre de reconstruction"),
    "feature-ViewPosition": ("view", "incidence"),
    "feature-ScanningSequence": ("MR sequence", "séquence IRM"),
    "feature-KVP": ("tube voltage", "tension du tube"),
    "feature-SliceThickness": ("slice thickness", "épaisseur de coupe"),
    "feature-MagneticFieldStrength": ("field strength", "champ magnétique"),
    "feature-EchoTime": ("echo time", "temps d’écho"),
    "feature-RepetitionTime": ("repetition time", "temps de répétition"),
    "feature-InversionTime": ("inversion time", "temps d’inversion"),
}
