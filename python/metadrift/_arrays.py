"""Checks of arrays from outside, with errors that name the array."""

from typing import Any

try:
    import numpy as np
except ImportError as missing:
    raise ImportError("this part of metadrift needs numpy: pip install metadrift[numpy]") from missing

__all__ = ["np", "of_shape"]


def of_shape(name: str, value: Any, shape: tuple[int, ...], kinds: str, dtype: Any) -> "np.ndarray[Any, Any]":
    """Return ``value`` as a C-contiguous array of ``dtype``; refuse another shape, or a dtype of none of ``kinds``.

    Raises TypeError on a wrong dtype and ValueError on a wrong shape.
    """
    array = np.asarray(value)
    if array.dtype.kind not in kinds:
        wanted = " or ".join(KINDS[kind] for kind in kinds if kind in KINDS)
        raise TypeError(f"{name}: dtype {array.dtype} where {wanted} belongs; convert it by .astype")
    if array.shape != shape:
        raise ValueError(f"{name}: shape {array.shape} where {shape} belongs")
    return np.ascontiguousarray(array, dtype)


# the names of dtypes in errors; unsigned integers are integers
KINDS = {"b": "bool", "i": "an integer type", "f": "a float type"}
