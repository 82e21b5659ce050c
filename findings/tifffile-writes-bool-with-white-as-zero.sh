#!/usr/bin/env bash
# tifffile writes an array of bool so that Pillow and OpenCV read the opposite.
#
# Packages: tifffile 2026.3.3 (the same with 2024.8.30), Pillow 12.0.0, opencv-python-headless
# 5.0.0.93, NumPy 2.4.6. PyPI, November 2026.
#
# tifffile.imwrite("mask.tif", mask) of a bool mask makes a file of 1 bit a pixel whose
# PhotometricInterpretation is 0, "white is zero", but writes True as 1 and False as 0. tifffile
# ignores the tag and reads the mask back. Pillow and OpenCV obey it, as the standard asks, and see
# a target of 9 pixels as a background of 759. A predicted mask that is saved like this scores an F1
# of 0 in an evaluation that reads by Pillow, without an error. uint8 masks, 0 and 255, are read alike by
# all three. Guess before it was run: 1 bit, "black is zero", all readers equal.
#
# Way out: tifffile.imwrite(path, mask.astype("uint8") * 255), or photometric="minisblack".
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cat > "$folder/mask.py" <<'PY'
import sys

import cv2
import numpy as np
import tifffile
from PIL import Image

mask = np.zeros((24, 32), bool)
mask[11:14, 15:18] = True
path = sys.argv[1] + "/mask.tif"
ways = {
    "bool": (mask, {}),
    "bool, minisblack": (mask, {"photometric": "minisblack"}),
    "uint8": (mask.astype(np.uint8) * 255, {}),
}
seen = {}
for way, (pixels, options) in ways.items():
    tifffile.imwrite(path, pixels, **options)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        about = int(page.photometric), page.bitspersample
    readers = (
        tifffile.imread(path) > 0,
        np.asarray(Image.open(path)) > 0,
        cv2.imread(path, cv2.IMREAD_UNCHANGED) > 0,
    )
    seen[way] = about, *(int(read.sum()) for read in readers)
    if way == "bool":
        assert all(np.array_equal(read, ~mask) for read in readers[1:]), "exactly inverted"
    print(f"{way:17} photometric {about[0]}, {about[1]} bit: true pixels by tifffile, Pillow, OpenCV",
          *seen[way][1:])
assert seen == {
    "bool": ((0, 1), 9, 759, 759),
    "bool, minisblack": ((1, 1), 9, 9, 9),
    "uint8": ((1, 8), 9, 9, 9),
}, seen
PY
for version in 2026.3.3 2024.8.30; do
    python3 -m venv "$folder/venv-$version"
    "$folder/venv-$version/bin/pip" install --quiet "tifffile==$version" numpy==2.4.6 \
        pillow==12.0.0 opencv-python-headless==5.0.0.93
    echo "tifffile $version"
    "$folder/venv-$version/bin/python" "$folder/mask.py" "$folder"
done
# Seen, with both: bool photometric 0, 1 bit: 9 759 759; bool, minisblack photometric 1, 1 bit: 9 9 9;
# uint8 photometric 1, 8 bit: 9 9 9.
