#!/usr/bin/env python3
"""Records what `-R` and ipvsadm-restore of ipvsadm 1.31 make of rule files, on the kernel's IPVS:

    cargo xtask vm -- python3 bin/rlvs/tests/corpus/record-restore.py > bin/rlvs/tests/corpus/restore.jsonl

A line of output is one file on a director that has the service 10.0.0.7:80.
"""
import json
import subprocess

ONE = "-A -t 10.0.0.1:80 -s rr\n"
TWO = "-A -t 10.0.0.2:80 -s rr\n"
THRESHOLDS = "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1 -x 9 -y 3\n"
FILES = [
    "",
    ONE,
    ONE.rstrip(),
    ONE + "\n  \n" + TWO,
    ONE + "# comment\n" + TWO,
    ONE + "  # indented\n" + TWO,
    "# comment\n" + ONE + TWO,
    "ipvsadm " + ONE + TWO,
    ONE + ONE + TWO,
    ONE + ONE,
    TWO + ONE + "-D -t 10.0.0.99:80\n",
    ONE + "-A -t 10.0.0.9:80 -w 5\n" + TWO,
    ONE + "-A -t 10.0.0.9:80 -s nosuch\n" + TWO,
    ONE + "-A -t 10.0.0.9:80 -s nosuch\n",
    ONE + "-A -t 10.0.0.256:80\n" + TWO,
    ONE + "-a -t 10.0.0.8:80 -r 10.1.0.1:80 -g\n" + TWO,
    ONE + "-a -t 10.0.0.1:80 -r 224.0.0.1:80 -g\n" + TWO,
    ONE + "-d -t 10.0.0.1:80 -r 10.1.0.1:80\n" + TWO,
    ONE + "-a -t 10.0.0.1:80\n" + TWO,
    ONE + "-A -t 10.0.0.3:0\n" + TWO,
    ONE + "foo\n" + TWO,
    ONE + "--no-such-flag\n" + TWO,
    ONE + "-A -t 10.0.0.3:80 more words\n" + TWO,
    ONE + "-A -t 10.0.0.3:80 -s\n" + TWO,
    ONE + '-A -t 10.0.0.3:80 -s "rr"\n' + TWO,
    ONE + "\t-A\t-t 10.0.0.3:80   -s rr  \n" + TWO,
    ONE + "-A -t 10.0.0.3:80 -s rr\r\n" + TWO,
    ONE + "-R\n" + TWO,
    ONE + "-Sn\n" + TWO,
    ONE + "-v\n" + TWO,
    ONE + "-L --timeout\n" + TWO,
    ONE + "-Ln -t 10.0.0.1:80\n" + TWO,
    ONE + "-Ln -t 10.0.0.66:80\n" + TWO,
    ONE + "-C\n--set 5 6 7\n-Z\n" + TWO,
    ONE + "-Z -t 10.0.0.66:80\n" + TWO,
    ONE + THRESHOLDS,
    ONE + THRESHOLDS + "-Sn\n",
    ONE + THRESHOLDS + "-Ln --thresholds -t 10.0.0.1:80\n",
]


def ipvsadm(*words, text=None):
    return subprocess.run(["ipvsadm", *words], input=text, capture_output=True, text=True)


def record(program, text):
    ipvsadm("-C")
    ipvsadm("--set", "900", "120", "300")
    ipvsadm("-A", "-t", "10.0.0.7:80", "-s", "rr")
    done = subprocess.run(program.split(), input=text, capture_output=True, text=True)
    print(json.dumps({
        "cmd": program,
        "stdin": text,
        "stdout": done.stdout,
        "stderr": done.stderr,
        "status": done.returncode,
        "saved_after": ipvsadm("-Sn").stdout,
        "thresholds_after": ipvsadm("-Ln", "--thresholds").stdout.split("\n", 1)[-1],
    }), flush=True)


subprocess.run(["modprobe", "ip_vs"], check=True)
for file in FILES:
    for program in ["ipvsadm -R", "ipvsadm-restore"]:
        record(program, file)
