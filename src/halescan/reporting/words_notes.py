"""What a note says: one sentence for each remark another room may leave on a scan or a case, as (English, French)."""

NOTES: dict[str, tuple[str, str]] = {
    # how the file was read
    "colour-to-grey": (
        "The scan is in colour and the model reads grey images; its luminance was used.",
        "L’image est en couleur alors que le modèle lit des niveaux de gris ; sa luminance a été utilisée.",
    ),
    "grey-to-colour": (
        "The scan is grey and the model reads colour images; the grey values were repeated in all three colours.",
        "L’image est en niveaux de gris alors que le modèle lit des images en couleur ; les gris ont été recopiés "
        "dans les trois couleurs.",
    ),
    "already-windowed": (
        "The file holds 8-bit grey values without Hounsfield units; they were taken as already windowed. If the "
        "window was not the lung window, scores are not comparable.",
        "Le fichier contient des niveaux de gris sur 8 bits, sans unités Hounsfield ; ils ont été considérés comme "
        "déjà fenêtrés. Si la fenêtre n’était pas parenchymateuse (pulmonaire), les scores ne sont pas comparables.",
    ),
    "assumed-hounsfield": (
        "The file does not name its unit; its values look like Hounsfield units and were read as such.",
        "Le fichier n’indique pas son unité ; ses valeurs ressemblent à des unités Hounsfield et ont été lues ainsi.",
    ),
    "unknown-grey-scale": (
        "The file does not name its unit and its values are not Hounsfield units; its own grey range was used instead.",
        "Le fichier n’indique pas son unité et ses valeurs ne sont pas des unités Hounsfield ; l’étendue de ses "
        "propres niveaux de gris a été utilisée.",
    ),
    "other-modality": (
        "The file says its modality is {found}; this model was made for {expected} and has no business with it. "
        "Score, p-value and map are shown for the record only.",
        "Le fichier indique la modalité {found} ; ce modèle est conçu pour {expected} et n’a pas lieu d’être appliqué "
        "ici. Score, valeur p et carte ne figurent que pour mémoire.",
    ),
    "non-finite-pixels": (
        "{share:%} of the pixels were not numbers; they were replaced by the smallest value present.",
        "{share:%} des pixels n’étaient pas des nombres ; ils ont été remplacés par la plus petite valeur présente.",
    ),
    "mislabelled": (
        "The file name ends in {ending} but it holds {format}; it was read as what it is.",
        "Le nom du fichier se termine par {ending} mais il contient {format} ; il a été lu comme tel.",
    ),
    "alpha-dropped": (
        "The transparency stored with the image was ignored.",
        "La transparence enregistrée avec l’image a été ignorée.",
    ),
    "nominal-orientation": (
        "The file gives no orientation; left and right cannot be told from it, and sides named here are nominal.",
        "Le fichier n’indique pas d’orientation ; il ne permet pas de distinguer la droite de la gauche, et les côtés "
        "nommés ici sont présumés.",
    ),
    "detector-spacing": (
        "Distances are those on the detector, not in the patient; true sizes are somewhat smaller.",
        "Les distances sont mesurées dans le plan du détecteur et non du patient ; les dimensions réelles sont un peu "
        "plus petites.",
    ),
    "bad-spacing": (
        "The pixel spacing that the file gives is zero, negative or not a number. It was taken as unknown; sizes are "
        "given in pixels or voxels.",
        "La taille des pixels indiquée par le fichier est nulle, négative ou n’est pas un nombre. Elle a été "
        "considérée comme inconnue ; les dimensions sont données en pixels ou en voxels.",
    ),
    "no-spacing": (
        "The file gives no pixel spacing; sizes are given in pixels or voxels.",
        "Le fichier n’indique pas la taille des pixels ; les dimensions sont données en pixels ou en voxels.",
    ),
    "uneven-gaps": (
        "The gaps between slices range from {min_mm} to {max_mm} mm; lengths along the slices are approximate.",
        "Les intervalles entre coupes vont de {min_mm} à {max_mm} mm ; les longueurs selon cet axe sont "
        "approximatives.",
    ),
    "missing-slices": (
        "Slices are missing from this series; what lies in the gaps was not examined.",
        "Il manque des coupes dans cette série ; ce qui se trouve dans ces intervalles n’a pas été analysé.",
    ),
    "unread-files": (
        "Files beside those of this series that could not be read: {count}. They may be slices of it; what they show "
        "was not examined.",
        "Fichiers voisins de ceux de cette série n’ayant pas pu être lus : {count}. Il peut s’agir de coupes de la "
        "série ; ce qu’elles montrent n’a pas été analysé.",
    ),
    "unread-scans": (
        "Scans of this case that could not be examined: {count}. Score, p-value and map say nothing of them.",
        "Images de ce cas n’ayant pas pu être analysées : {count}. Score, valeur p et carte n’en disent rien.",
    ),
    "duplicate-slices": (
        "Slices stored more than once: {count} copies. Each was read once.",
        "Coupes enregistrées plusieurs fois : {count} copies. Chacune a été lue une fois.",
    ),
    "frames-without-positions": (
        "The {frames} frames of this file carry no positions; they were taken in the order stored, without geometry.",
        "Les {frames} images de ce fichier ne comportent pas de position ; elles ont été lues dans l’ordre du "
        "fichier, sans géométrie.",
    ),
    "tilted-stack": (
        "The slices lean by {degrees} degrees against the direction in which they are stacked (gantry tilt); shapes "
        "across slices are sheared in the pictures.",
        "Les coupes sont inclinées de {degrees} degrés par rapport à leur axe d’empilement (inclinaison du statif) ; "
        "les formes y sont décalées d’une coupe à l’autre.",
    ),
    "blank-slices": (
        "Slices without anything to examine were skipped ({count}).",
        "Les coupes sans rien à analyser ont été ignorées ({count}).",
    ),
    "mask-everything": (
        "The region to look in ({looked_for}) could not be found on this scan; the whole image was examined.",
        "La région à analyser ({looked_for}) n’a pas été trouvée sur cette image ; l’image entière a été analysée.",
    ),
    "stain-not-found": (
        "Hardly anything on this image is stained; its colours were left as they are.",
        "Presque rien n’est coloré sur cette image ; ses couleurs ont été laissées telles quelles.",
    ),
    "lungs-not-found": (
        "The lungs could not be told apart on this scan; the whole body section was examined.",
        "Les poumons n’ont pas pu être délimités sur cette image ; toute la section du corps a été analysée.",
    ),
    # what the cohort was like
    "duplicates": (
        "Images that are duplicates of others: {count}. Each group of copies counts once.",
        "Images en double : {count}. Chaque groupe de copies compte une fois.",
    ),
    "patient-in-both-splits": (
        "Patients on both sides of the split between training and test: {count}. Figures on that test set are too "
        "good.",
        "Patients présents à la fois dans l’apprentissage et le test : {count}. Les résultats sur ce jeu de test sont "
        "trop favorables.",
    ),
    "duplicates-with-other-labels": (
        "Duplicates that carry different labels: {count}. One of the two labels must be wrong; correct the table.",
        "Doublons portant des étiquettes différentes : {count}. L’une des deux est fausse ; corrigez le tableau.",
    ),
    "not-in-table": (
        "Images found in the folder but not listed in the table: {count}. They have no patient, label or split from "
        "it.",
        "Images présentes dans le dossier mais absentes du tableau : {count}. Elles n’y ont ni patient, ni étiquette, "
        "ni part.",
    ),
    "left-out": (
        "Images of another label or split, left out: {count}; kept: {kept}.",
        "Images d’une autre étiquette ou d’une autre part, écartées : {count} ; conservées : {kept}.",
    ),
    "patients-unknown": (
        "Patients are unknown; groups of near-identical images stand in for them.",
        "Les patients sont inconnus ; des groupes d’images presque identiques en tiennent lieu.",
    ),
    # what the calibration can carry
    "uncalibrated-level": (
        "The model was calibrated on another level (single images or whole volumes) than the one at which this case "
        "was read: the score has nothing to be compared with, so there is no p-value and no decision. Calibrate on "
        "healthy cases of this kind with halescan recalibrate.",
        "Le modèle a été étalonné à un autre niveau (images isolées ou volumes entiers) que celui auquel ce cas a été "
        "lu : son score ne peut être comparé à rien, d’où ni valeur p ni décision. Étalonnez-le sur des cas sains de "
        "ce type avec halescan recalibrate.",
    ),
    "uncalibrated-slide": (
        "The model was calibrated on single images, and this is a whole slide: its score has nothing to be compared "
        "with, so there is no p-value and no decision. Calibrate on healthy slides with halescan recalibrate.",
        "Le modèle a été étalonné sur des images isolées et il s’agit d’une lame entière : son score ne peut être "
        "comparé à rien, d’où ni valeur p ni décision. Étalonnez-le sur des lames saines avec halescan recalibrate.",
    ),
    "slide-tiles": (
        "The slide was read in {tiles} tiles at {um_per_px} µm per pixel, which cover {share:%} of the tissue found; "
        "each was judged on its own.",
        "La lame a été lue en {tiles} tuiles à {um_per_px} µm par pixel, qui couvrent {share:%} du tissu trouvé ; "
        "chacune a été évaluée séparément.",
    ),
    "slide-scale-given": (
        "The file does not say how large its pixels are; {um_per_px} µm was given by hand, and all lengths rest on it.",
        "Le fichier n’indique pas la taille de ses pixels ; {um_per_px} µm a été donné à la main, et toutes les "
        "longueurs en dépendent.",
    ),
    "slide-scale-assumed": (
        "The model does not say at which scale it learned; the slide was looked at at {um_per_px} µm per pixel. If its "
        "images had another scale, scores and map tell nothing.",
        "Le modèle n’indique pas à quelle échelle il a appris ; la lame a été lue à {um_per_px} µm par pixel. Si ses "
        "images avaient une autre échelle, score et carte ne disent rien.",
    ),
    "rate-not-supported": (
        "A false-alarm rate of {asked:%} needs {needed} healthy cases in the calibration; this model has {units} and "
        "supports {strictest:%} at the strictest.",
        "Un taux de faux positifs de {asked:%} demande {needed} cas sains pour l’étalonnage ; ce modèle en a {units} "
        "et permet au mieux {strictest:%}.",
    ),
    "not-calibrated": (
        "This model was calibrated on no healthy case, so there is neither p-value nor decision; score and map are "
        "shown as they are. A false-alarm rate of {asked:%} needs {needed} healthy cases.",
        "Ce modèle n’a été étalonné sur aucun cas sain : il n’y a ni valeur p ni décision ; score et carte sont "
        "présentés tels quels. Un taux de faux positifs de {asked:%} demande {needed} cas sains.",
    ),
    "cross-conformal": (
        "There were too few healthy scans to set a calibration part aside; the p-value is cross-conformal, a weaker "
        "guarantee.",
        "Les examens sains étaient trop peu nombreux pour en réserver une part à l’étalonnage ; la valeur p est "
        "conforme croisée, une garantie plus faible.",
    ),
    "measured-on-learned": (
        "No healthy scan but those the model learned from was at hand: the colours of the map and the regions come "
        "from these and mark more than they should. Calibrate on healthy scans of other patients (recalibrate).",
        "Aucun examen sain autre que ceux de l’apprentissage n’était disponible : les couleurs de la carte et les "
        "zones en proviennent et signalent plus qu’elles ne devraient. Étalonnez sur des examens sains d’autres "
        "patients (recalibrate).",
    ),
    "sought-darker": (
        "The map points where the image is both strange and darker than in health: a bright lesion raises the score "
        "and is not pointed at, nor is a dark one that fills half of what is looked at.",
        "La carte montre où l’image est à la fois inhabituelle et plus sombre que chez les sujets sains : une lésion "
        "claire élève le score sans être désignée, de même qu’une lésion sombre occupant la moitié de la zone étudiée.",
    ),
    "sought-brighter": (
        "The map points where the image is both strange and brighter than in health: a dark lesion raises the score "
        "and is not pointed at, nor is a bright one that fills half of what is looked at.",
        "La carte montre où l’image est à la fois inhabituelle et plus claire que chez les sujets sains : une lésion "
        "sombre élève le score sans être désignée, de même qu’une lésion claire occupant la moitié de la zone étudiée.",
    ),
    "supervised": (
        "The model is supervised: it learned from {count} scans with disease too. It finds best what looks like those; "
        "disease of other kinds may leave its map empty.",
        "Le modèle est supervisé : il a aussi appris sur {count} examens avec maladie. Il trouve surtout ce qui leur "
        "ressemble ; une maladie d’un autre type peut laisser sa carte vide.",
    ),
    "own-encoder": (
        "No pretrained backbone was found; the encoder was trained on the healthy scans themselves.",
        "Aucun réseau préentraîné n’a été trouvé ; l’encodeur a été entraîné sur les examens sains eux-mêmes.",
    ),
    # whether the model fits these scans
    "differs-from-reference": (
        "These scans differ from the reference: another site, protocol or patient mix. The false-alarm rate may not "
        "hold; run “halescan recalibrate” on healthy cases of this site.",
        "Ces examens diffèrent de la référence : autre site, autre protocole ou autre population. Le taux de faux "
        "positifs peut ne pas être tenu ; lancez « halescan recalibrate » sur des cas sains de ce site.",
    ),
    "unlike-training": (
        "This scan is unlike the training scans in: {features}. The model was not made for such scans: score, p-value "
        "and map may reflect that rather than the patient.",
        "Cet examen ne ressemble pas à ceux de l’apprentissage ; diffèrent : {features}. Le modèle n’est pas conçu "
        "pour de tels examens : score, valeur p et carte peuvent refléter cela plutôt que le patient.",
    ),
    "poor-reconstruction": (
        "{method} draws healthy images no better than their plain mean would: mean error {error}, of the mean image "
        "{mean_error}. Its training diverged or was too short, so score, map and what it draws tell little; train the "
        "model again.",
        "{method} ne reconstruit pas mieux les images saines que ne le ferait leur simple moyenne : erreur moyenne "
        "{error}, contre {mean_error} pour l’image moyenne. L’apprentissage a divergé ou a été trop court : score, "
        "carte et reconstruction sont peu informatifs ; entraînez de nouveau le modèle.",
    ),
    "map-tells-little": (
        "The map tells little here: {share:%} of what was examined lies above its threshold, so it singles out no "
        "place and no regions are listed. Diffuse change, another kind of acquisition or a poor fit of the model can "
        "all do that.",
        "La carte est ici peu informative : {share:%} de la zone analysée dépasse son seuil ; elle ne désigne donc "
        "aucun endroit et aucune région n’est listée. Une atteinte diffuse, une autre technique d’acquisition ou un "
        "modèle inadapté peuvent l’expliquer.",
    ),
    "quantile-rule-above": (
        "For information, by the plain rule of a healthy quantile, the {unit} of {value} lies above the {share:%} "
        "quantile of healthy images ({threshold}); this rule promises no false-alarm rate.",
        "Pour information, selon la règle simple du quantile sain, la valeur ({unit}) de {value} dépasse le quantile "
        "à {share:%} des images saines ({threshold}) ; cette règle ne garantit aucun taux de faux positifs.",
    ),
    "quantile-rule-below": (
        "For information, by the plain rule of a healthy quantile, the {unit} of {value} lies below the {share:%} "
        "quantile of healthy images ({threshold}); this rule promises no false-alarm rate.",
        "Pour information, selon la règle simple du quantile sain, la valeur ({unit}) de {value} ne dépasse pas le "
        "quantile à {share:%} des images saines ({threshold}) ; cette règle ne garantit aucun taux de faux positifs.",
    ),
    # what the method gives
    "no-location": (
        "This method gives no location: there is no map, and no region is outlined.",
        "Cette méthode ne donne pas de localisation : il n’y a ni carte ni région entourée.",
    ),
    "more-findings": (
        "Weaker regions left out of the list: {count}. A place as strange as these occurs in at least a quarter of "
        "healthy cases.",
        "Régions plus faibles omises de la liste : {count}. Au moins un quart des cas sains présentent un point qui "
        "s’écarte autant.",
    ),
}
