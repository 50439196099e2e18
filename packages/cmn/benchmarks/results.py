"""Results: what was measured, in results.json beside this file, so that a cut run goes on."""

import json
from collections.abc import Callable
from pathlib import Path

RESULTS = Path(__file__).with_name("results.json")


def measured(key: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Returns a result by its key; measures it where it is not there. Remove it to measure anew."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if key not in results:
        value = measure()
        results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        results[key] = {name: round(number, 5) for name, number in value.items()}
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return results[key]
