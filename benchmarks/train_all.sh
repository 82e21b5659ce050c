#!/usr/bin/env bash
# Trains every network on a data set, in pieces, and puts the weights where scores look.
#
#     benchmarks/train_all.sh nuaa runs 9
#
# works for about 9 minutes and exits with 3 while something is left: call it again, also
# on another machine that has got `runs`. Each network is trained on the training images
# and followed on the validation images, then trained once more on both; the last weights of
# that end in weights/DATASET/METHOD.safetensors beside the module. Test images are not used.
#
# METHODS chooses networks; OPTIONS go to every training ("--compile" on a GPU, the default
# there; --epochs, --patch).
set -euo pipefail
dataset=${1:?data set, as in: benchmarks/train_all.sh nuaa runs 9}
runs=${2:-runs}
minutes=${3:-9}
methods=${METHODS:-pixelgame pixelgame-womim mdvsfa alcnet acm}
gpu='import torch; print("--compile" if torch.cuda.is_available() else "")'
options=${OPTIONS-$(python -c "$gpu")}

piece() { # METHOD FOLDER LAST-FILE [--final]
    [ -f "$3" ] && return
    local left
    left=$(awk "BEGIN { print $minutes - $SECONDS / 60 }")
    if awk "BEGIN { exit !($left < 0.2) }"; then
        echo "time is over before $1 ${4:-}: call again to go on" >&2
        exit 3
    fi
    # shellcheck disable=SC2086  # options are several words
    istsbench train "$1" --dataset "$dataset" --out "$2" --max-minutes "$left" \
        $options ${4:-}
    if [ ! -f "$3" ]; then
        echo "$1 ${4:-} is not finished: call again to go on" >&2
        exit 3
    fi
}

for method in $methods; do
    folder=$runs/$dataset/$method
    piece "$method" "$folder" "$folder/last.safetensors"
    piece "$method" "$folder" "$folder/final/last.safetensors" --final
    weights=baselines/cnn/weights/$dataset
    [[ $method == pixelgame* ]] && weights=pixelgame/weights/$dataset
    mkdir -p "$weights" "results/weights/$dataset"
    cp "$folder/final/last.safetensors" "$weights/$method.safetensors"
    cp "$folder/log.csv" "results/weights/$dataset/$method.csv"
done
echo "all of $methods on $dataset are trained" >&2
