"""Reading and writing images, which SciPy gave to other libraries."""

from __future__ import annotations

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.rule import Example

_SOURCE = "https://docs.scipy.org/doc/scipy/release/1.2.0-notes.html"


class ImagesByScikitImage(MovedNames):
    """Reads images with scikit-image where SciPy's own `misc.imread` is gone: arrays of the same numbers."""

    code = "SCI010"
    name = "images-by-scikit-image"
    source = _SOURCE
    roots = ("scipy",)
    moves = Moves(
        names={
            "scipy.misc.imread": "skimage.io.imread",
            "scipy.misc.imsave": "skimage.io.imsave",
            "scipy.ndimage.imread": "skimage.io.imread",
        },
        search=False,
    )


class ImagesByMatplotlib(MovedNames):
    """Reads images with matplotlib where SciPy's own `misc.imread` is gone and scikit-image is not there.

    Numbers of a PNG are between 0 and 1 then, not between 0 and 255: shown, they look the same.
    """

    code = "SCI011"
    name = "images-by-matplotlib"
    source = _SOURCE
    confidence = "likely"
    roots = ("scipy",)
    moves = Moves(
        names={
            "scipy.misc.imread": "matplotlib.image.imread",
            "scipy.misc.imsave": "matplotlib.image.imsave",
            "scipy.ndimage.imread": "matplotlib.image.imread",
        },
        search=False,
    )
    examples = (
        Example(
            before="from scipy.misc import imread",
            after="from matplotlib.image import imread",
            ename="ImportError",
            evalue="cannot import name 'imread' from 'scipy.misc' (scipy/misc/__init__.py)",
            needs=("scipy", "matplotlib"),
        ),
    )
