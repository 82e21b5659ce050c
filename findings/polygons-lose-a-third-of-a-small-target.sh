#!/usr/bin/env bash
# A mask that becomes polygons by OpenCV and a mask again by pycocotools loses its lower and right border:
# a third of a target of 21 pixels, three quarters of one of 4. No polygon suits all readers.
#
# Packages: pycocotools 2.0.11, OpenCV 5.0.0 and 4.13.0, Pillow 12.0.0, scikit-image 0.26.0. PyPI,
# November 2026.
#
# Labels of small targets travel as COCO polygons, commonly traced by cv2.findContours. Its points are the
# centres of border pixels, and cv2.fillPoly, Pillow and scikit-image count pixels under the outline as
# inside: they give the mask back exactly. pycocotools takes the coordinates for corners, between pixels:
# a square of n pixels a side comes back with n - 1. A target of one pixel is one point, which it refuses.
# Round ones lose their border and win a pixel or more at the other side. Polygons along the corners are
# right in pycocotools, and too large by a row and a column in OpenCV, Pillow and scikit-image. On objects of
# thousands of pixels this is a rounding; a perfect prediction of a 21-pixel target has an IoU of .591 against its
# own label, so AP at .75 counts it as missed. Guess before it was run: at most a tenth of the pixels differ
# for 20 pixels and more, and Pillow differs from OpenCV.
#
# Way out: run-length encoding (pycocotools.mask.encode), or images of the masks; never polygons.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cat > "$folder/polygons.py" <<'PYTHON'
import cv2
import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco
from skimage.draw import polygon2mask

ROWS, COLUMNS = 32, 40
y, x = np.mgrid[:ROWS, :COLUMNS]


def square(side):
    return (x >= 12) & (x < 12 + side) & (y >= 10) & (y < 10 + side)


def disk(radius):
    return (x - 17) ** 2 + (y - 14) ** 2 <= radius**2


def readers(points):
    drawn = Image.new("L", (COLUMNS, ROWS))
    ImageDraw.Draw(drawn).polygon([tuple(map(float, point)) for point in points], fill=1, outline=1)
    return (
        cv2.fillPoly(np.zeros((ROWS, COLUMNS), np.uint8), [points.reshape(-1, 1, 2)], 1),
        np.asarray(drawn),
        polygon2mask((ROWS, COLUMNS), points[:, ::-1]),
        coco.decode(coco.merge(coco.frPyObjects([points.ravel().astype(float).tolist()], ROWS, COLUMNS))),
    )


seen, iou = {}, {}
targets = {
    "square": [square(side) for side in (2, 3, 5)],
    "disk": [disk(radius) for radius in (2.3, 3.3, 6)],
}
for kind, masks in targets.items():
    for mask in masks:
        (contour,), _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        read = [one.astype(bool) for one in readers(contour.reshape(-1, 2))]
        assert all(np.array_equal(one, mask) for one in read[:3])
        seen[kind, int(mask.sum())] = [int(one.sum()) for one in read]
        iou[int(mask.sum())] = round(float((read[3] & mask).sum() / (read[3] | mask).sum()), 3)

corners = np.array([(12, 10), (15, 10), (15, 13), (12, 13)], np.int32)  # of the square of 3x3 pixels
read = [one.astype(bool) for one in readers(corners)]
assert np.array_equal(read[3], square(3))
seen["corners of a square", 9] = [int(one.sum()) for one in read]

(contour,), _ = cv2.findContours(square(1).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
try:
    coco.frPyObjects([contour.ravel().astype(float).tolist()], ROWS, COLUMNS)
except Exception as error:
    print("one pixel:", type(error).__name__, error)
else:
    raise SystemExit("one pixel is read now")

for (kind, pixels), sizes in seen.items():
    print(f"{kind} of {pixels} pixels, by OpenCV, Pillow, scikit-image, pycocotools:", *sizes)
print("IoU with the mask by pycocotools:", iou)
assert seen == {
    ("square", 4): [4, 4, 4, 1],
    ("square", 9): [9, 9, 9, 4],
    ("square", 25): [25, 25, 25, 16],
    ("disk", 21): [21, 21, 21, 14],
    ("disk", 37): [37, 37, 37, 28],
    ("disk", 113): [113, 113, 113, 96],
    ("corners of a square", 9): [16, 16, 16, 9],
}, seen
assert iou == {4: 0.25, 9: 0.444, 25: 0.64, 21: 0.591, 37: 0.667, 113: 0.786}, iou
PYTHON
for opencv in 5.0.0.93 4.13.0.92; do
    python3 -m venv "$folder/venv-$opencv"
    "$folder/venv-$opencv/bin/pip" install --quiet pycocotools==2.0.11 numpy==2.4.6 pillow==12.0.0 \
        scikit-image==0.26.0 "opencv-python-headless==$opencv"
    echo "OpenCV $opencv"
    "$folder/venv-$opencv/bin/python" "$folder/polygons.py"
done
# Seen, with both: square of 4 pixels: 4 4 4 1; of 9: 9 9 9 4; of 25: 25 25 25 16; disk of 21 pixels:
# 21 21 21 14; of 37: 37 37 37 28; of 113: 113 113 113 96; corners of a square of 9: 16 16 16 9. IoU: .25, .444, .64, .591, .667, .786.
