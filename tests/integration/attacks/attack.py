"""attack.py NAME BULLETPROOF: evaluates one attacking kernel; its verdict must be the expected one."""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent

# name: (source, options of eval, verdict, words of the message)
ATTACKS = {
    "replay_content": ("replay.hip", ["--suite", "long_generation", "--knob", "BY_POINTER=0"],
                       "WRONG_RESULT", "timed call"),
    "replay_pointer": ("replay.hip", ["--suite", "ultra_long_generation", "--knob", "BY_POINTER=1"],
                       "WRONG_RESULT", "timed call"),
}


def main():
    name, program = sys.argv[1:]
    source, options, verdict, words = ATTACKS[name]
    ran = subprocess.run([program, "eval", HERE / source, "--json", *options],
                         stdout=subprocess.PIPE, timeout=100, check=False)
    result = json.loads(ran.stdout)
    print(result["verdict"], result["stage"], result["message"], result["timing"])
    assert result["verdict"] == verdict, f"{result['verdict']}, not {verdict}"
    assert words in result["message"], result["message"]
    assert len(result["attempts"]) == 1, "a candidate's fault was tried again"


main()
