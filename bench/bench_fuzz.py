"""A million spoilt inputs to the places where something comes in: how many ended in anything but rows or a sentence of ours.

VSM_FUZZ sets another number of inputs in all, VSM_FUZZ_SECONDS a time after which there are no more. Half of them are random
decisions; the other half are looked for by atheris, a fuzzer that is guided by the lines that an input reaches, in a process for
each target. Where atheris is not installed, the random ones are asked alone, and a line says so: `pip install atheris` (it has
wheels for Linux), and the rest runs too. They begin with answers of ours, and with real ones where VSM_RECORDED_DATA names them.
"""

import importlib.util
import os
import random
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "peers"))
GUIDED = importlib.util.find_spec("atheris") is not None
if GUIDED and __name__ == "__main__":  # the process that hunts: what it imports now tells which of its lines an input reaches
    import atheris

    with atheris.instrument_imports(include=["vsm", "collectors"]):
        from fuzzing import TARGETS  # the tests' peers are no package
else:
    from fuzzing import TARGETS

INPUTS = int(os.environ.get("VSM_FUZZ", "1000000"))
SECONDS = float(os.environ.get("VSM_FUZZ_SECONDS", "0"))  # 0: as long as it takes
SEED, LONGEST = 8, 48  # bytes of decisions

Figure = dict[str, Any]


def figures() -> list[Figure]:
    """Of each target how many of its inputs broke it; none may."""
    if not GUIDED:
        print("bench_fuzz: atheris is not installed, so no input was looked for by coverage: pip install atheris", file=sys.stderr)
    parts = len(TARGETS) * (2 if GUIDED else 1)
    each, seconds = max(INPUTS // parts, 1), SECONDS / parts
    found = []
    for name in TARGETS:
        found.append(_figure(f"random inputs to {name} that broke it", *broken(name, each, seconds)))
        if GUIDED:
            found.append(_figure(f"inputs to {name} found by coverage that broke it", *hunted(name, each, seconds)))
    return found


def _figure(name: str, broke: int, asked: int) -> Figure:
    return {"name": name, "value": broke, "peer": asked, "ratio": broke / asked, "limit": 0}


def broken(name: str, count: int, seconds: float = 0) -> tuple[int, int]:
    """How many random inputs broke a target, of how many; the first of each kind is told."""
    dice, target, kinds, broke = random.Random(f"{SEED} {name}"), TARGETS[name], set[str](), 0  # noqa: S311 - the same inputs at every run, and no secret
    warnings.simplefilter("ignore")
    asked, began = 0, time.monotonic()
    while asked < count and (not seconds or time.monotonic() < began + seconds):
        asked += 1
        data = dice.randbytes(dice.randrange(0, LONGEST, 2))
        try:
            target.asked(target.made(data))
        except Exception as error:  # whatever it is, it is what is looked for
            broke += 1
            if type(error).__name__ not in kinds:
                kinds.add(type(error).__name__)
                print(f"bench_fuzz: {name} {data.hex()}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
    return broke, asked


def hunted(name: str, count: int, seconds: float = 0) -> tuple[int, int]:
    """1 where a guided search broke a target, else 0, for it ends at the first; and how many inputs it took."""
    call = [sys.executable, __file__, name, str(count), str(int(seconds))]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False, start_new_session=True)
    if done.returncode:
        print(f"bench_fuzz: {name}: {done.stdout[-2000:]}{done.stderr[-2000:]}", file=sys.stderr)
    told = re.findall(r"number_of_executed_units: (\d+)", done.stderr)
    return int(done.returncode != 0), int(told[-1]) if told else count


def hunt(name: str, count: int, seconds: int = 0) -> None:
    """Search a target with atheris, which leaves with a status of its own."""
    warnings.simplefilter("ignore")
    target = TARGETS[name]

    def one(data: bytes) -> None:
        target.asked(target.made(data))

    folder = f"{os.environ.get('TMPDIR', '/tmp')}/"  # noqa: S108  # where an input that breaks is left
    arguments = [
        f"-runs={count}",
        f"-max_total_time={seconds}",
        "-print_final_stats=1",
        f"-seed={SEED}",
        f"-max_len={LONGEST}",
        "-timeout=60",
        f"-artifact_prefix={folder}",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


if __name__ == "__main__":
    hunt(sys.argv[1], *map(int, sys.argv[2:4]))
