"""Pictures in a notebook."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def show(
    pictures: Sequence[Picture], titles: Sequence[str] = (), *, columns: int = 8, inch: float = 1.3
) -> None:
    """Draw pictures side by side.

    Args:
        pictures: (H, W, 3) uint8 BGR, as all pictures of this project, or (H, W) grey.
        titles: one for each picture, or none.
        columns: in a row.
        inch: width that each one gets; the height follows from the first one's shape.
    """
    rows = -(-len(pictures) // columns)
    height = inch * pictures[0].shape[0] / pictures[0].shape[1] + (0.2 if titles else 0.05)
    _, axes = plt.subplots(rows, columns, figsize=(columns * inch, rows * height))
    places = np.atleast_1d(axes).ravel()
    for place in places:
        place.axis("off")
    for number, (place, picture) in enumerate(zip(places, pictures)):
        place.imshow(picture[..., ::-1] if picture.ndim == 3 else picture, cmap="gray", vmin=0, vmax=255)
        if titles:
            place.set_title(titles[number], fontsize=8)
    plt.tight_layout(pad=0.3)
    plt.show()
