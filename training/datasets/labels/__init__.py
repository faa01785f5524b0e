"""Labels in and out: pictures with polygons, bitmaps, boxes and names of classes, in other tools' forms.

    a reader for each form ─► shapes.Labels ─► collect.Collector ─► images/ masks/ classes.json, or boxes
    images/ masks/ ─► outlines ─► shapes.Picture ─► a writer for each tool

What cannot be taken over as it is becomes a :class:`shapes.Unmapped` with file and place; the rest is
done.
"""

from training.datasets.labels.exporting import Exported, export_labels
from training.datasets.labels.importing import Imported, import_labels
from training.datasets.labels.shapes import Reason, Unmapped

__all__ = ["Exported", "Imported", "Reason", "Unmapped", "export_labels", "import_labels"]
