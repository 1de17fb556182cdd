"""What a note says: one sentence for each remark another room may leave on a scan or a case, as (English, French)."""

NOTES: dict[str, tuple[str, str]] = {
    # how the file was read
    "colour-to-grey": (
        "The scan is in colour and the model reads grey images; its luminance was used.",
        "L’examen est en couleur et le modèle lit des images en gris ; sa luminance a été utilisée.",
    ),
    "grey-to-colour": (
        "The scan is grey and the model reads colour images; the grey values were repeated in all three colours.",
        "L’examen est en gris et le modèle lit des images en couleur ; les gris ont été répétés dans les trois "
        "couleurs.",
    ),
    "already-windowed": (
        "The file holds 8-bit grey values without Hounsfield units; they were taken as already windowed. If the "
        "window was not the lung window, scores are not comparable.",
        "Le fichier contient des gris sur 8 bits sans unités Hounsfield ; ils ont été considérés comme déjà fenêtrés. "
        "Si la fenêtre n’était pas pulmonaire, les scores ne sont pas comparables.",
    ),
    "assumed-hounsfield": (
        "The file does not name its unit; its values look like Hounsfield units and were read as such.",
        "Le fichier n’indique pas son unité ; ses valeurs ressemblent à des unités Hounsfield et ont été lues ainsi.",
    ),
    "unknown-grey-scale": (
        "The file does not name its unit and its values are not Hounsfield units; its own grey range was used instead.",
        "Le fichier n’indique pas son unité et ses valeurs ne sont pas des unités Hounsfield ; sa propre échelle de "
        "gris a été utilisée.",
    ),
    "other-modality": (
        "The file says its modality is {found}; this model was made for {expected}. Treat the result with caution.",
        "Le fichier indique la modalité {found} ; ce modèle est fait pour {expected}. Interprétez le résultat avec "
        "prudence.",
    ),
    "non-finite-pixels": (
        "{share:%} of the pixels were not numbers; they were replaced by the smallest value present.",
        "{share:%} des pixels n’étaient pas des nombres ; ils ont été remplacés par la plus petite valeur présente.",
    ),
    "mislabelled": (
        "The file name ends in {ending} but its content is {format}; it was read as what it is.",
        "Le nom du fichier se termine par {ending} mais son contenu est {format} ; il a été lu comme tel.",
    ),
    "alpha-dropped": (
        "The transparency stored with the image was ignored.",
        "La transparence enregistrée avec l’image a été ignorée.",
    ),
    "nominal-orientation": (
        "The file gives no orientation; left and right cannot be told from it, and sides named here are nominal.",
        "Le fichier n’indique pas d’orientation ; il ne permet pas de distinguer la gauche de la droite, et les côtés "
        "nommés ici sont nominaux.",
    ),
    "detector-spacing": (
        "Distances are those on the detector, not in the patient; true sizes are somewhat smaller.",
        "Les distances sont celles du détecteur et non du patient ; les tailles réelles sont un peu plus petites.",
    ),
    "no-spacing": (
        "The file gives no pixel spacing; sizes are given in pixels.",
        "Le fichier n’indique pas la taille des pixels ; les tailles sont données en pixels.",
    ),
    "uneven-gaps": (
        "The gaps between slices range from {min_mm} to {max_mm} mm; lengths along the slices are approximate.",
        "Les intervalles entre coupes vont de {min_mm} à {max_mm} mm ; les longueurs selon cet axe sont "
        "approximatives.",
    ),
    "missing-slices": (
        "Slices are missing from this series; what lies in the gaps was not examined.",
        "Des coupes manquent dans cette série ; ce qui se trouve dans les lacunes n’a pas été examiné.",
    ),
    "duplicate-slices": (
        "Slices stored more than once: {count} copies. Each was read once.",
        "Coupes enregistrées plusieurs fois : {count} copies. Chacune a été lue une fois.",
    ),
    "frames-without-positions": (
        "The {frames} frames of this file carry no positions; they were taken in the order stored, without geometry.",
        "Les {frames} images de ce fichier n’ont pas de position ; elles ont été prises dans l’ordre du fichier, sans "
        "géométrie.",
    ),
    "tilted-stack": (
        "The slices lean by {degrees} degrees against the direction in which they are stacked (gantry tilt); shapes "
        "across slices are sheared in the pictures.",
        "Les coupes sont inclinées de {degrees} degrés par rapport à leur empilement (inclinaison du statif) ; les "
        "formes y sont obliques d’une coupe à l’autre.",
    ),
    "blank-slices": (
        "Slices without anything to examine were skipped ({count}).",
        "Des coupes sans rien à examiner ont été ignorées ({count}).",
    ),
    "mask-everything": (
        "The region to look in ({looked_for}) could not be found on this scan; the whole image was examined.",
        "La région à examiner ({looked_for}) n’a pas été trouvée sur cet examen ; l’image entière a été examinée.",
    ),
    "lungs-not-found": (
        "The lungs could not be told apart on this scan; the whole body section was examined.",
        "Les poumons n’ont pas pu être délimités sur cet examen ; toute la section du corps a été examinée.",
    ),
    # what the cohort was like
    "duplicates": (
        "Images that are duplicates of others: {count}. Each group of copies counts once.",
        "Images en double : {count}. Chaque groupe de copies compte une fois.",
    ),
    "patient-in-both-splits": (
        "Patients on both sides of the split between training and test: {count}. Figures on that test set are too "
        "good.",
        "Patients des deux côtés de la séparation entre apprentissage et test : {count}. Les résultats sur ce jeu de "
        "test sont trop favorables.",
    ),
    "duplicates-with-other-labels": (
        "Duplicates that carry different labels: {count}. One of the two labels must be wrong; correct the table.",
        "Doublons portant des étiquettes différentes : {count}. L’une des deux est fausse ; corrigez le tableau.",
    ),
    "not-in-table": (
        "Images found in the folder but not listed in the table: {count}. They have no patient, label or split from "
        "it.",
        "Images présentes dans le dossier mais absentes du tableau : {count}. Il ne leur donne ni patient, ni "
        "étiquette, ni part.",
    ),
    "left-out": (
        "Images left out because another label or split was asked for: {count}; kept: {kept}.",
        "Images écartées car une autre étiquette ou part était demandée : {count} ; gardées : {kept}.",
    ),
    "patients-unknown": (
        "Patients are unknown; groups of near-identical images stand in for them.",
        "Les patients sont inconnus ; des groupes d’images presque identiques en tiennent lieu.",
    ),
    # what the calibration can carry
    "uncalibrated-level": (
        "The model was calibrated on single images and this is a volume read slice by slice, or the other way round: "
        "the score has nothing to be compared with, so there is no p-value and no decision. Calibrate on healthy cases "
        "of this kind with halescan recalibrate.",
        "Le modèle a été étalonné sur des images isolées et ceci est un volume lu coupe par coupe, ou l’inverse : le "
        "score n’a pas de comparaison, d’où ni valeur p ni décision. Étalonnez-le sur des cas sains de ce type avec "
        "halescan recalibrate.",
    ),
    "rate-not-supported": (
        "A false-alarm rate of {asked:%} needs {needed} healthy cases in the calibration; this model has {units} and "
        "supports {strictest:%} at the strictest.",
        "Un taux de fausses alarmes de {asked:%} demande {needed} cas sains pour l’étalonnage ; ce modèle en a "
        "{units} et permet {strictest:%} au plus strict.",
    ),
    "too-few-healthy": (
        "The model learned from too few healthy scans to decide; scores and maps are shown as they are.",
        "Le modèle a appris de trop peu d’examens sains pour décider ; scores et cartes sont montrés tels quels.",
    ),
    "cross-conformal": (
        "There were too few healthy scans to set a calibration part aside; the p-value is cross-conformal, a weaker "
        "guarantee.",
        "Il y avait trop peu d’examens sains pour réserver une part à l’étalonnage ; la valeur p est conforme "
        "croisée, une garantie plus faible.",
    ),
    "own-encoder": (
        "No pretrained backbone was found; the encoder was trained on the healthy scans themselves.",
        "Aucun réseau préentraîné n’a été trouvé ; l’encodeur a été entraîné sur les examens sains eux-mêmes.",
    ),
    # whether the model fits these scans
    "differs-from-reference": (
        "These scans differ from the reference: another site, protocol or patient mix. The false-alarm rate may not "
        "hold; run “halescan recalibrate” on healthy cases of this site.",
        "Ces examens diffèrent de la référence : autre site, autre protocole ou autre population. Le taux de fausses "
        "alarmes peut ne pas tenir ; lancez « halescan recalibrate » sur des cas sains de ce site.",
    ),
    "unlike-training": (
        "This scan is unlike the training set in: {features}. The score may reflect that rather than the patient.",
        "Cet examen diffère du jeu d’apprentissage par : {features}. Le score peut refléter cela plutôt que le "
        "patient.",
    ),
    "quantile-rule-above": (
        "By the plain rule of a healthy quantile, the {unit} of {value} lies above the {share} quantile of healthy "
        "images ({threshold}); this rule promises no false-alarm rate.",
        "Selon la règle simple du quantile sain, la valeur ({unit}) de {value} dépasse le quantile {share} des images "
        "saines ({threshold}) ; cette règle ne garantit aucun taux de fausses alarmes.",
    ),
    "quantile-rule-below": (
        "By the plain rule of a healthy quantile, the {unit} of {value} lies below the {share} quantile of healthy "
        "images ({threshold}); this rule promises no false-alarm rate.",
        "Selon la règle simple du quantile sain, la valeur ({unit}) de {value} ne dépasse pas le quantile {share} des "
        "images saines ({threshold}) ; cette règle ne garantit aucun taux de fausses alarmes.",
    ),
    # what the method gives
    "no-location": (
        "This method gives no location: there is no map, and no region is outlined.",
        "Cette méthode ne donne pas de localisation : il n’y a ni carte ni région entourée.",
    ),
    "more-findings": (
        "Regions as strange as places in at least a quarter of healthy cases, not listed: {count}.",
        "Régions aussi inhabituelles que dans au moins un quart des cas sains, non listées : {count}.",
    ),
}
