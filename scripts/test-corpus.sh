#!/usr/bin/env bash
# Replays a corpus of captures and holds what headertap read against what other decoders found.
# The captures are not part of the repository; HEADERTAP_CORPUS names their folder.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

corpus=${HEADERTAP_CORPUS:-corpus}
if [[ ! -f $corpus/manifest.json ]]; then
	echo "test-corpus: SKIPPED: no captures in $corpus (manifest.json, pcap/, expected.jsonl," \
		"score.py, vectors/): set HEADERTAP_CORPUS to their folder" >&2
	exit 0
fi
corpus=$(realpath "$corpus")
out=target/corpus
mkdir -p "$out"

HEADERTAP_VECTORS=$corpus/vectors cargo test --locked -p headertap -- --ignored
cargo build --release --locked -p headertap
echo "test-corpus: replaying $corpus"
tests/corpus/run "$corpus" "$out/items.jsonl"
python3 "$corpus/score.py" "$corpus/expected.jsonl" "$out/items.jsonl" --by class \
	--kinds "$(tests/corpus/require --kinds)" --json "$out/score.json" --details "$out/details.jsonl"
tests/corpus/require "$out/score.json" "$out/details.jsonl"
