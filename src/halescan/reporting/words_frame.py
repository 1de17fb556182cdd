"""The words of the report's frame: headings, verdicts, labels and captions, as (English, French)."""

FRAME: dict[str, tuple[str, str]] = {
    # every page
    "research-use": ("Research use only", "Usage réservé à la recherche"),
    "research-use-long": (
        "Research use only. Not a medical device; not for diagnosis or treatment.",
        "Usage réservé à la recherche. Ce n’est pas un dispositif médical ; ni diagnostic ni traitement.",
    ),
    "report-title": ("Anomaly report", "Rapport d’anomalie"),
    "case": ("Case", "Cas"),
    "examined": ("Examined", "Examiné le"),
    "page": ("Page", "Page"),
    # the verdict
    "verdict": ("Result", "Résultat"),
    "headline-above": (
        "Unusual relative to the healthy reference",
        "Inhabituel par rapport à la référence saine",
    ),
    "headline-not-above": (
        "No deviation above the set threshold",
        "Aucun écart au-dessus du seuil fixé",
    ),
    "headline-withheld": ("Scored, but no decision is made", "Score calculé, mais aucune décision n’est prise"),
    "decision-above": (
        "The score lies above the threshold set for a false-alarm rate of {rate:%}: about {rate:%} of healthy {units} "
        "would be flagged as well.",
        "Le score dépasse le seuil fixé pour un taux de fausses alarmes de {rate:%} : environ {rate:%} des {units} "
        "seraient aussi signalés.",
    ),
    "decision-not-above": (
        "The score does not exceed the threshold set for a false-alarm rate of {rate:%}. This does not rule out "
        "disease: see the blind spots below.",
        "Le score ne dépasse pas le seuil fixé pour un taux de fausses alarmes de {rate:%}. Cela n’exclut pas une "
        "maladie : voir les angles morts ci-dessous.",
    ),
    "decision-withheld": (
        "The score and this report stand; only the yes-or-no decision is withheld.",
        "Le score et ce rapport restent valables ; seule la décision par oui ou non est réservée.",
    ),
    "p-in-words-none": (
        "Of {units_count} healthy {units}, none looked at least this strange: {p}. With more healthy {units} the "
        "bound would be finer.",
        "Sur {units_count} {units}, aucun n’a paru au moins aussi étrange : {p}. Avec davantage de {units}, cette "
        "borne serait plus fine.",
    ),
    "p-in-words-one": (
        "Of {units_count} healthy {units}, one looked at least this strange: {p}.",
        "Sur {units_count} {units}, un seul a paru au moins aussi étrange : {p}.",
    ),
    "p-in-words-many": (
        "Of {units_count} healthy {units}, {count} looked at least this strange: {p}.",
        "Sur {units_count} {units}, {count} ont paru au moins aussi étranges : {p}.",
    ),
    "p-in-words-all": (
        "All {units_count} healthy {units} looked at least this strange: {p}.",
        "Les {units_count} {units} ont tous paru au moins aussi étranges : {p}.",
    ),
    "p-is-not": (
        "p is the share of healthy {units} at least this strange, this case counted among them; it is not the "
        "probability of disease.",
        "p est la part des {units} au moins aussi étranges, ce cas compris ; ce n’est pas la probabilité d’une "
        "maladie.",
    ),
    "p-missing": (
        "This score has no calibration on healthy cases, so no p-value is given.",
        "Ce score n’est pas étalonné sur des cas sains ; aucune valeur p n’est donc donnée.",
    ),
    # "healthy" stands in the English sentences, because French needs it after the noun
    "units-case": ("cases", "cas sains"),
    "units-patient": ("patients", "patients sains"),
    "units-image": ("images", "clichés sains"),  # masculine, as the sentences around it
    "score": ("Score", "Score"),
    "p-value": ("p-value", "Valeur p"),
    "threshold": ("Threshold", "Seuil"),
    "false-alarms": ("False-alarm rate", "Taux de fausses alarmes"),
    "calibrated-on": ("Calibrated on", "Étalonné sur"),
    "calibrated-on-value": ("{units_count} healthy {units}", "{units_count} {units}"),
    "guarantee-split": ("split conformal", "conforme (partition)"),
    "guarantee-cross": ("cross-conformal (weaker)", "conforme croisé (plus faible)"),
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
    "picture-map": ("With the map of strangeness", "Avec la carte d’étrangeté"),
    "picture-outlines": ("With the outlined regions", "Avec les régions entourées"),
    "picture-map-alt": (
        "The scan with the map of strangeness laid over it; {count} regions outlined and numbered",
        "L’examen sous la carte d’étrangeté ; {count} régions entourées et numérotées",
    ),
    "picture-scan-alt": ("The scan as acquired", "L’examen tel qu’acquis"),
    "map-strength": ("Map", "Carte"),
    "legend": (
        "How rarely a healthy place is at least this strange",
        "Rareté d’un endroit sain au moins aussi étrange",
    ),
    "legend-tick": ("1 in {count}", "1 sur {count}"),
    "legend-fixed": (
        "The scale is the same in every report; below 1 in 10 nothing is coloured.",
        "L’échelle est la même dans tous les rapports ; en deçà de 1 sur 10, rien n’est coloré.",
    ),
    "no-tail": (
        "The map is not calibrated on healthy places, so no colours are shown.",
        "La carte n’est pas étalonnée sur des endroits sains ; aucune couleur n’est donc affichée.",
    ),
    "radiological": (
        "Radiological convention: the patient’s right is on the left of the picture.",
        "Convention radiologique : la droite du patient est à gauche de l’image.",
    ),
    "orientation-unknown": (
        "The file does not say how the image is oriented; it is shown as stored.",
        "Le fichier n’indique pas l’orientation de l’image ; elle est montrée telle qu’enregistrée.",
    ),
    "sides-assumed": (
        "The file does not say how the image is oriented; sides are named as if the patient’s right were on its left.",
        "Le fichier n’indique pas l’orientation de l’image ; les côtés sont nommés comme si la droite du patient "
        "était à sa gauche.",
    ),
    "montage": ("Slices", "Coupes"),
    "montage-caption": (
        "{shown} of {count} slices, evenly spaced, with the key slices; number = slice",
        "{shown} coupes sur {count}, régulièrement espacées, avec les coupes clés ; numéro = coupe",
    ),
    "slice-scores": ("Score of each slice", "Score de chaque coupe"),
    "slice-scores-alt": (
        "Score of each of {count} slices; the highest is slice {slice}",
        "Score de chacune des {count} coupes ; le plus élevé est celui de la coupe {slice}",
    ),
    "slice": ("Slice", "Coupe"),
    "reconstruction": ("What the method expected", "Ce que la méthode attendait"),
    "picture-shown": ("As the method saw it", "Vu par la méthode"),
    "picture-reconstruction": ("Its healthy reconstruction", "Sa reconstruction saine"),
    "picture-difference": (
        "Difference: orange brighter, blue darker than expected",
        "Différence : orange plus clair, bleu plus sombre qu’attendu",
    ),
    "difference-scale": (
        "Full colour is a difference of half the grey range or more.",
        "La pleine couleur correspond à un écart d’au moins la moitié de l’échelle de gris.",
    ),
    "neighbours": ("Nearest healthy examples", "Exemples sains les plus proches"),
    "neighbours-caption": (
        "The remembered healthy images most like this one, nearest first",
        "Les images saines mémorisées les plus semblables, la plus proche d’abord",
    ),
    # findings
    "findings": (
        "Regions unusual relative to the healthy reference",
        "Régions inhabituelles par rapport à la référence",
    ),
    "no-findings": (
        "No region stands out above the threshold of the map.",
        "Aucune région ne ressort au-dessus du seuil de la carte.",
    ),
    "no-location-short": ("This method gives no location.", "Cette méthode ne donne pas de localisation."),
    "finding-place": ("Place", "Lieu"),
    "finding-size": ("Size", "Taille"),
    "finding-peak": ("At its peak", "Au maximum"),
    "finding-p": ("p-value of the region", "Valeur p de la région"),
    "finding-index": ("Voxel (x, y, z)", "Voxel (x, y, z)"),
    "finding-index-2d": ("Pixel (x, y)", "Pixel (x, y)"),
    "finding-centre": ("Centre (LPS, mm)", "Centre (LPS, mm)"),
    "finding-number": ("Region {number}", "Région {number}"),
    "finding-above": ("above the threshold", "au-dessus du seuil"),
    "finding-not-above": ("not above the threshold", "pas au-dessus du seuil"),
    "finding-alt": ("Close-up of region {number}", "Gros plan de la région {number}"),
    "finding-rarity": (
        "1 in {count} healthy places is at least this strange",
        "1 endroit sain sur {count} est au moins aussi étrange",
    ),
    "finding-rarity-cap": (
        "at most 1 in {count} healthy places is this strange",
        "au plus 1 endroit sain sur {count} est aussi étrange",
    ),
    "findings-p-help": (
        "The p-value of a region is the share of healthy cases showing anywhere a place this strange. Peak, size and "
        "place describe the picture; they name no disease.",
        "La valeur p d’une région est la part des cas sains montrant, où que ce soit, un endroit aussi étrange. "
        "Maximum, taille et lieu décrivent l’image ; ils ne nomment aucune maladie.",
    ),
    "finding-slice": ("slice {slice}", "coupe {slice}"),
    "findings-threshold": (
        "A region is outlined where the map exceeds what {quantile:%} of healthy places stay below.",
        "Une région est entourée là où la carte dépasse la valeur sous laquelle restent {quantile:%} des endroits "
        "sains.",
    ),
    "longest-diameter": ("longest diameter {value}", "plus grand diamètre {value}"),
    # histogram
    "histogram": ("The score among the healthy reference", "Le score parmi la référence saine"),
    "histogram-alt": (
        "Histogram of {count} healthy calibration scores; this case scores {score}, the threshold is {threshold}",
        "Histogramme de {count} scores sains d’étalonnage ; ce cas obtient {score}, le seuil est {threshold}",
    ),
    "histogram-healthy": ("healthy reference (n = {count})", "référence saine (n = {count})"),
    "histogram-score": ("this case {value}", "ce cas {value}"),
    "histogram-threshold": ("threshold {value}", "seuil {value}"),
    "histogram-axis": ("score: larger is stranger", "score : plus grand, plus étrange"),
    # the model
    "model": ("The model behind this report", "Le modèle derrière ce rapport"),
    "model-name": ("Model", "Modèle"),
    "model-detector": ("Detector", "Détecteur"),
    "model-source": ("Source", "Source"),
    "model-profile": ("Profile", "Profil"),
    "model-trained-on": ("Trained on", "Entraîné sur"),
    "model-trained-on-images": ("{images} healthy images", "{images} images saines"),
    "model-trained-on-patients": (
        "{images} healthy images of {patients} patients",
        "{images} images saines de {patients} patients",
    ),
    "model-trained": ("Trained", "Entraîné le"),
    "model-version": ("Halescan", "Halescan"),
    "model-fingerprint": ("Fingerprint", "Empreinte"),
    "blind-spots": ("Blind spots of this profile", "Angles morts de ce profil"),
    "look-next": ("What to look at next", "Que regarder ensuite"),
    "fact-spacing": ("Spacing", "Espacement"),
    "fact-spacing-unknown": ("unknown", "inconnu"),
    "fact-score": ("Score", "Score"),
    "fact-window": ("Window", "Fenêtre"),
    "footer": (
        "A region unusual relative to the healthy reference is not a diagnosis, and its absence is not a finding of "
        "health.",
        "Une région inhabituelle par rapport à la référence saine n’est pas un diagnostic, et son absence n’établit "
        "pas la bonne santé.",
    ),
    # places
    "left": ("left", "à gauche"),
    "right": ("right", "à droite"),
    "midline": ("midline", "ligne médiane"),
    "upper-zone": ("upper zone", "zone supérieure"),
    "mid-zone": ("mid zone", "zone moyenne"),
    "lower-zone": ("lower zone", "zone inférieure"),
    "anterior": ("anterior", "antérieur"),
    "posterior": ("posterior", "postérieur"),
    "superior": ("superior", "supérieur"),
    "inferior": ("inferior", "inférieur"),
    "central": ("central", "central"),
    "peripheral": ("peripheral", "périphérique"),
    # profiles
    "profile-chest-xray": ("Chest X-ray", "Radiographie du thorax"),
    "profile-lung-ct": ("Lung CT", "Scanner pulmonaire"),
    "profile-brain-mri": ("Brain MRI", "IRM cérébrale"),
    "profile-ultrasound": ("Ultrasound", "Échographie"),
    "profile-histology": ("Histology", "Histologie"),
    "profile-generic": ("Generic", "Générique"),
    # in what scans can differ from others
    "feature-mean": ("mean grey value", "niveau de gris moyen"),
    "feature-std": ("contrast", "contraste"),
    "feature-p05": ("dark grey values", "niveaux sombres"),
    "feature-p50": ("median grey value", "niveau de gris médian"),
    "feature-p95": ("bright grey values", "niveaux clairs"),
    "feature-entropy": ("spread of grey values", "étalement des niveaux de gris"),
    "feature-height": ("height", "hauteur"),
    "feature-width": ("width", "largeur"),
    "feature-depth": ("number of slices", "nombre de coupes"),
    "feature-aspect": ("proportions", "proportions"),
    "feature-mask_share": ("share of the picture that is looked at", "part de l’image examinée"),
    "feature-spacing_mm": ("pixel spacing", "espacement des pixels"),
    "feature-slice_spacing_mm": ("slice spacing", "espacement des coupes"),
    "unit-score": ("score", "score"),
    "unit-mean absolute error": ("mean absolute error", "erreur absolue moyenne"),
    "feature-spacing": ("whether spacing is known", "connaissance de l’espacement"),
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
