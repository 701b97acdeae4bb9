"""What a release must agree on: version, tag, CHANGELOG, citation, and files that services read."""

import json
import re
import subprocess
import tomllib

import pytest
import yaml

from course_lib import __version__
from course_lib.authoring import course_address

EXTENSIONS = {".yml", ".yaml", ".cff"}


def tags_problem(root):
    """What is wrong with the tags of this clone, "" where it has none at all."""
    listed = subprocess.run(["git", "tag", "--list"], cwd=root, capture_output=True, text=True)
    tags, wanted = listed.stdout.split(), course_address(root).tag
    return (
        f"[tool.course] names {wanted}, no tag of this clone" if tags and wanted not in tags else ""
    )


def test_the_tag_of_badges_and_set_up_exists(root):
    """Catches badges and set-up cells that lead to a version which was never tagged."""
    assert not tags_problem(root)


@pytest.mark.parametrize("tags, found", [([], ""), (["v7"], ""), (["v6", "v70"], "names v7")])
def test_a_clone_without_the_tag_is_found(tmp_path, tags, found):
    """Catches a test of tags that cannot fail, or fails in a clone that has none."""
    (tmp_path / "pyproject.toml").write_text('[tool.course]\nrepository = "a/b"\ntag = "v7"\n')
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(
        [*git, "commit", "--quiet", "--allow-empty", "-m", "x"], cwd=tmp_path, check=True
    )
    for tag in tags:
        subprocess.run([*git, "tag", tag], cwd=tmp_path, check=True)
    assert tags_problem(tmp_path) == "" if not found else found in tags_problem(tmp_path)


def test_version_is_the_same_everywhere(root):
    """Catches a version that was raised in one place and forgotten in another."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project.get("version", __version__) == __version__
    assert course_address(root).tag == f"v{__version__}"
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", changes, re.MULTILINE)
    assert released[0] == (__version__, citation["date-released"])


def test_citation_and_badges_lead_to_the_course(root):
    """Catches a citation or a Binder badge with another address or tag than [tool.course]."""
    address = course_address(root)
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == address.url
    binder = f"https://mybinder.org/v2/gh/{address.repository}/{address.tag}?labpath=notebooks"
    assert binder in (root / "README.md").read_text(encoding="utf-8")


def files(root):
    """The files that hosted services read, which say nothing when they cannot."""
    found = [root / "CITATION.cff", root / ".pre-commit-config.yaml", *root.glob("binder/*.yml")]
    return found + [path for path in (root / ".github").rglob("*") if path.suffix in EXTENSIONS]


def test_files_of_services_can_be_read(root):
    """Catches YAML or JSON that is broken, and a command that the course does not have."""
    from course_lib.commands import SUMMARIES

    assert len(files(root)) > 6
    for path in files(root):
        assert yaml.safe_load(path.read_text(encoding="utf-8")), path
    for path in (".devcontainer/devcontainer.json", ".vscode/extensions.json"):
        assert json.loads((root / path).read_text(encoding="utf-8"))
    for path in (root / ".github").rglob("*.yml"):
        for command in re.findall(r"python -m course_lib (\w+)", path.read_text(encoding="utf-8")):
            assert command in SUMMARIES, f"{path.name}: {command}"


def test_binder_takes_a_python_that_the_course_supports(root):
    """Catches a Python that Binder does not see in a range, and replaces by one that is too old."""
    made = yaml.safe_load((root / "binder/environment.yml").read_text(encoding="utf-8"))
    version = re.fullmatch(r"python=3\.(\d+)", made["dependencies"][0])
    assert 11 <= int(version[1]) <= 14
    assert (root / "binder/postBuild").read_text(encoding="utf-8").startswith("#!/bin/bash\n")


def test_workflows_have_least_rights_and_an_end(root):
    """Catches a workflow that may write to the repository, or a job that runs for six hours."""
    for path in (root / ".github/workflows").glob("*.yml"):
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {"contents": "read"}, path.name
        for name, job in workflow["jobs"].items():
            assert job["timeout-minutes"] <= 120, name
            for used in (step["uses"] for step in job["steps"] if "uses" in step):
                assert re.fullmatch(r"actions/[\w-]+@v\d+", used), used
