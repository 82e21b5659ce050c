#!/usr/bin/env bash
# OpenCV filters a picture from a FITS file on swapped bytes, and only for some types of pixel.
#
# Packages: astropy 7.2.0, opencv-python-headless 5.0.0.93 (the same with 4.10.0.84), NumPy 2.4.6,
# SciPy 1.17.1, scikit-image 0.26.0 as references. PyPI, November 2026.
#
# A FITS file holds big-endian numbers, and astropy hands them out as they are: int16, float32
# and float64 arrays of foreign byte order, equal to the picture for numpy. cv2 takes such an
# array without an error and computes on its bytes in the machine's own order. A white top-hat
# whose largest value is 87 gives 32767 for int16 and about 1e-38 for float32; the type of the
# result is native, so nothing is left to see. A camera that writes uint16 is safe by accident:
# FITS has no such type, astropy applies the offset BZERO and makes a native array of it.
# SciPy and scikit-image are right for all four types. Guess before it was run: an error.
#
# Way out: array.astype(array.dtype.newbyteorder("=")); np.ascontiguousarray keeps the byte order.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cat > "$folder/tophat.py" <<'PY'
import io

import cv2
import numpy as np
from astropy.io import fits
from scipy import ndimage
from skimage.morphology import white_tophat

rows, columns = np.mgrid[:48, :64]
picture = 300 + 5 * rows + 3 * columns
picture[20:22, 30:32] += 90
square = np.ones((5, 5), np.uint8)
seen = {}
for kind in ("int16", "uint16", "float32", "float64"):
    native = picture.astype(kind)
    file = io.BytesIO()
    fits.PrimaryHDU(native).writeto(file)
    file.seek(0)
    read = fits.getdata(file)
    assert np.array_equal(read, native), "numpy sees the same picture"
    want = cv2.morphologyEx(native, cv2.MORPH_TOPHAT, square)
    found = cv2.morphologyEx(read, cv2.MORPH_TOPHAT, square)
    assert found.dtype.isnative
    for filtered in (white_tophat(read, square), ndimage.white_tophat(read, size=5)):
        assert np.array_equal(filtered, want), "scikit-image and SciPy are right"
    copied = cv2.morphologyEx(np.ascontiguousarray(read), cv2.MORPH_TOPHAT, square)
    assert np.array_equal(copied, found, equal_nan=True), "a contiguous copy does not help"
    mended = read.astype(read.dtype.newbyteorder("="))
    assert np.array_equal(cv2.morphologyEx(mended, cv2.MORPH_TOPHAT, square), want)
    seen[kind] = read.dtype.isnative, np.array_equal(found, want)
    print(f"{kind:8} read as {read.dtype.str}: largest value {found.max():.6g}, right {want.max()}")
assert seen == {
    "int16": (False, False), "uint16": (True, True),
    "float32": (False, False), "float64": (False, False),
}, seen
PY
for opencv in 5.0.0.93 4.10.0.84; do
    python3 -m venv "$folder/venv-$opencv"
    "$folder/venv-$opencv/bin/pip" install --quiet astropy==7.2.0 numpy==2.4.6 scipy==1.17.1 \
        scikit-image==0.26.0 "opencv-python-headless==$opencv"
    echo "opencv-python-headless $opencv"
    "$folder/venv-$opencv/bin/python" "$folder/tophat.py"
done
# Seen, with both: int16 read as >i2: 32767, right 87; uint16 read as <u2: 87, right 87;
# float32 read as >f4: 1.76331e-38, right 87; float64 read as >f8: 7.77073e-317, right 87.
