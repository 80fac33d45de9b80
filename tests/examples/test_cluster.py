"""The files for clusters: the Slurm script is run with a Slurm and a Ray that only take notes; the manifests agree."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "cluster"
SLURM = FOLDER / "slurm.sh"
RAY = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]

NOTES = '#!/bin/bash\necho "$(basename "$0") $*" >>"$NOTES"\n'
PROGRAMS = {
    "srun": NOTES + 'echo "token $RAY_AUTH_MODE $RAY_AUTH_TOKEN" >>"$NOTES"\nexec sleep 60\n',  # until it is ended
    "ray": NOTES + 'while [[ $(grep -c ^srun "$NOTES") == 0 ]]; do sleep 0.05; done\n',
    "automl-cells": NOTES + 'while [[ $(grep -c ^token "$NOTES") -lt "$STEPS" ]]; do sleep 0.05; done\n',
    "hostname": '#!/bin/bash\nif (($#)); then echo "127.0.1.1 fe80::1 192.0.2.7 198.51.100.7"; '
    'else echo "${HOST:-first}"; fi\n',
}


@pytest.fixture
def run(tmp_path):
    """A function that runs the script as Slurm does on the first node, and gives back the notes of what it called."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def script(nodes, **settings):
        notes = tmp_path / "notes"
        environment = {
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "NOTES": str(notes),
            "STEPS": str(min(nodes, 2)),
            "SLURM_JOB_ID": "1234567",
            "SLURM_JOB_NUM_NODES": str(nodes),
            "SLURM_CPUS_PER_TASK": "16",
            **settings,
        }
        subprocess.run(["bash", SLURM], env=environment, cwd=tmp_path, check=True, timeout=30, capture_output=True)
        called: dict[str, list[list[str]]] = {}
        for line in notes.read_text().splitlines():
            words = shlex.split(line)
            called.setdefault(words[0], []).append(words[1:])
        return called

    return script


def option(words, name):
    """The value of an option, behind a blank or an equals sign."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def test_the_slurm_script_starts_a_head_and_the_rest_and_searches_on_all_of_them(run):
    called = run(3, SEARCH="--space nasnet --dataset npz:/data/mine.npz", TRIALS="40", RUN="runs/mine")
    head, rest = sorted(called["srun"], key=lambda words: "--head" not in words)
    (search,) = called["automl-cells"]
    port = 20000 + 1234567 % 20000
    address = f"192.0.2.7:{port}"  # the first that is neither the loopback nor IPv6
    assert option(head, "--nodelist") == option(rest, "--exclude") == "first"
    assert (option(head, "--nodes"), option(rest, "--nodes"), option(rest, "--ntasks")) == ("1", "2", "2")
    assert option(head, "--node-ip-address") == "192.0.2.7"
    assert option(head, "--port") == str(port)
    assert option(rest, "--address") == option(search, "--address") == address
    assert option(called["ray"][0], "--address") == address
    for words in (head, rest):
        assert words[words.index("ray") : words.index("ray") + 3] == ["ray", "start", "--block"]
        assert option(words, "--num-cpus") == option(words, "--cpus-per-task") == "16"
        assert option(words, "--num-gpus") == "0"
    assert search[0] == "search"
    assert option(search, "--executor") == "ray"
    assert option(search, "--workers") == "24"  # 3 nodes, 16 cores, 2 a trial
    assert (option(search, "--cpus-per-trial"), option(search, "--gpus-per-trial")) == ("2", "0")
    assert (option(search, "--space"), option(search, "--dataset")) == ("nasnet", "npz:/data/mine.npz")
    assert (option(search, "--trials"), option(search, "--out")) == ("40", "runs/mine")
    assert "--resume" in search
    modes, tokens = zip(*called["token"], strict=True)
    assert set(modes) == {"token"}
    assert len(set(tokens)) == 1
    assert re.fullmatch("[0-9a-f]{64}", tokens[0])


@pytest.mark.parametrize(
    ("names", "node"), [({"SLURMD_NODENAME": "node7"}, "node7"), ({"HOST": "first.cluster.example"}, "first")]
)
def test_slurm_is_told_its_own_name_of_the_first_node(run, names, node):
    called = run(2, **names)
    head, rest = sorted(called["srun"], key=lambda words: "--head" not in words)
    assert option(head, "--nodelist") == option(rest, "--exclude") == node


def test_the_slurm_script_needs_no_second_node_and_counts_gpus(run):
    called = run(1, SLURM_GPUS_ON_NODE="4", GPUS="0.5", CPUS="1")
    (head,) = called["srun"]
    (search,) = called["automl-cells"]
    assert option(head, "--num-gpus") == "4"
    assert option(search, "--workers") == "8"  # of 16 by the cores
    assert option(search, "--gpus-per-trial") == "0.5"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing_in_the_slurm_script():
    subprocess.run(["shellcheck", SLURM], check=True, timeout=60)


@pytest.fixture(scope="module")
def manifests():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed; ray brings it")
    return {document["kind"]: document for document in yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text())}


def test_the_manifests_are_a_volume_a_cluster_and_a_job(manifests):
    versions = {kind: document["apiVersion"] for kind, document in manifests.items()}
    assert versions == {"PersistentVolumeClaim": "v1", "RayCluster": "ray.io/v1", "RayJob": "ray.io/v1"}


def test_the_cluster_grows_from_nothing_and_keeps_its_head_free(manifests):
    spec = manifests["RayCluster"]["spec"]
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    (workers,) = spec["workerGroupSpecs"]
    assert 0 == workers["minReplicas"] == workers["replicas"] < workers["maxReplicas"]
    for group in (spec["headGroupSpec"], workers):
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert container["image"] == "automl-cells:1"


def test_the_job_searches_on_that_cluster_with_the_workers_it_can_have(manifests):
    cluster = manifests["RayCluster"]
    job = manifests["RayJob"]["spec"]
    name = cluster["metadata"]["name"]
    assert job["clusterSelector"] == {"ray.io/cluster": name}
    (head,) = cluster["spec"]["headGroupSpec"]["template"]["spec"]["containers"]
    (port,) = [port["containerPort"] for port in head["ports"] if port["name"] == "gcs"]
    (workers,) = cluster["spec"]["workerGroupSpecs"]
    (container,) = workers["template"]["spec"]["containers"]
    words = shlex.split(job["entrypoint"])
    assert words[:2] == ["automl-cells", "search"]
    assert option(words, "--executor") == "ray"
    assert option(words, "--address") == f"{name}-head-svc:{port}"
    assert int(option(words, "--workers")) == workers["maxReplicas"] * int(container["resources"]["limits"]["cpu"])
    assert "--resume" in words


def test_the_run_folder_lies_on_the_volume(manifests):
    spec = manifests["RayCluster"]["spec"]["headGroupSpec"]["template"]["spec"]
    (mount,) = spec["containers"][0]["volumeMounts"]
    (volume,) = spec["volumes"]
    claim = manifests["PersistentVolumeClaim"]["metadata"]["name"]
    assert (mount["name"], volume["persistentVolumeClaim"]["claimName"]) == (volume["name"], claim)
    out = option(shlex.split(manifests["RayJob"]["spec"]["entrypoint"]), "--out")
    assert Path(out).is_relative_to(mount["mountPath"])


def test_image_and_manifest_have_the_ray_that_is_tested(manifests):
    image = re.search(r"^FROM rayproject/ray:([^-\s]+)", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)[1]
    assert image == manifests["RayCluster"]["spec"]["rayVersion"] == RAY


def test_the_page_about_clusters_names_files_that_are_there():
    page = ROOT / "docs" / "cluster.md"
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert {f"../examples/cluster/{name}" for name in ("slurm.sh", "kuberay.yaml", "Dockerfile")} <= set(links)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["slurm.sh", "kuberay.yaml"])
def test_the_command_line_knows_all_options_that_the_files_use(name):
    from typer.main import get_command

    from automl_cells.cli.main import app

    known = {option for parameter in get_command(app).commands["search"].params for option in parameter.opts}
    text = (FOLDER / name).read_text()
    commands = re.findall(r"automl-cells search (.+?)(?:\n\s*\n|\n\S|\Z)", text, re.DOTALL)
    used = {word for command in commands for word in re.findall(r"--[a-z][a-z-]*", command)}
    used |= {word for words in re.findall(r"SEARCH:-(.+?)}", text) for word in re.findall(r"--[a-z][a-z-]*", words)}
    assert len(used) >= 5
    assert used <= known
