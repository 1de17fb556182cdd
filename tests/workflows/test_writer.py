"""The writer: workers that die cost no case, and never run the caller's script."""

import subprocess
import sys
from pathlib import Path

from halescan.synthesis.cohort import PhantomFolders

SCRIPT = """
import os, signal, sys
from concurrent.futures import ProcessPoolExecutor
from halescan.workflows.examine import examine
from halescan.workflows import writer

print("the script runs")
writer.FEW = 1
if sys.argv[4] == "kill":
    collect = writer.Writer._collect
    def murder(self):
        for process in list(self.pool._processes.values() if self.pool else ()):
            os.kill(process.pid, signal.SIGKILL)
        collect(self)
    writer.Writer._collect = murder
done = examine(sys.argv[1], sys.argv[2], out=sys.argv[3], formats=["json", "overlay"], jobs=2)
print(len(done.records), len(done.problems))
"""


def run(model: Path, scans: Path, out: Path, mode: str) -> str:
    """What a script without `if __name__ == "__main__"` prints."""
    script = out.with_suffix(".py")
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, model, scans, out, mode], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_a_script_without_the_main_idiom_runs_once(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    assert run(model_folder, phantoms.new, tmp_path / "out", "live") == "the script runs\n5 0\n"


def test_cases_of_a_worker_that_died_are_written_all_the_same(
    model_folder: Path, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    assert run(model_folder, phantoms.new, tmp_path / "out", "kill") == "the script runs\n5 0\n"
