"""Checks between the files of infra/ that no schema knows: what is named must be there. Prints what is wrong; exit status 1 if anything is."""

import json
import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
from ruamel.yaml import YAML

KUBERNETES = "1.34"
ROOT = Path(__file__).resolve().parents[3]
INFRA = ROOT / "infra"
yaml = YAML(typ="safe")
wrong = []


def documents(path):
    return [document for document in yaml.load_all(path.read_text()) if document is not None]


def manifests():
    """Every manifest fits its schema, is listed, and names secrets, services and images that are there."""
    folder = INFRA / "kubernetes"
    listed = documents(folder / "kustomization.yaml")[0]
    files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    if files != set(listed["resources"]):
        wrong.append(f"kustomization.yaml lists {sorted(listed['resources'])}, there are {sorted(files)}")
    resources = [(name, resource) for name in sorted(files) for resource in documents(folder / name)]
    for name, resource in resources:
        try:
            kubernetes_validate.validate(resource, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            wrong.append(f"kubernetes/{name}: {error.message} at {list(error.path)}")
    named = {(resource["kind"], resource["metadata"]["name"]) for _, resource in resources}
    made = set(re.findall(r"^(?:if .*then )?\s*secret (weir-[a-z0-9-]+)", (folder / "secrets.sh").read_text(), re.M))
    images = {image["name"] for image in listed["images"]}
    # An ingress may send what nobody may see to nowhere.
    services = {name for kind, name in named if kind == "Service"} | {"weir-nowhere"}
    for name, resource in resources:
        wanted = set(re.findall(r"'service': {'name': '([^']+)'", str(resource.get("spec")))) | {resource.get("spec", {}).get("serviceName") or "weir-nowhere"}
        wrong.extend(f"kubernetes/{name}: there is no service {service}" for service in wanted - services)
        pod = resource.get("spec", {}).get("template", {}).get("spec")
        if not pod:
            continue
        who = f"kubernetes/{name}: {resource['metadata']['name']}"
        labels = resource["spec"]["template"]["metadata"]["labels"]
        if resource["kind"] != "Job" and resource["spec"]["selector"]["matchLabels"] != labels:
            wrong.append(f"{who}: its selector does not choose its pods")
        for volume in pod["volumes"]:
            if "secret" in volume and volume["secret"]["secretName"] not in made:
                wrong.append(f"{who}: secrets.sh makes no {volume['secret']['secretName']}")
        for container in pod["containers"]:
            if container["image"] not in images:
                wrong.append(f"{who}: kustomization.yaml knows no image {container['image']}")
            if resource["kind"] != "Job" and not ({"readinessProbe", "livenessProbe"} <= container.keys()):
                wrong.append(f"{who}: it has no probes")
            if "limits" not in container["resources"]:
                wrong.append(f"{who}: it has no limit of memory")
            for source in container.get("envFrom", []):
                if ("ConfigMap", source["configMapRef"]["name"]) not in named:
                    wrong.append(f"{who}: there is no {source['configMapRef']['name']}")
            known = {volume["name"] for volume in pod["volumes"]}
            known |= {claim["metadata"]["name"] for claim in resource["spec"].get("volumeClaimTemplates", [])}
            wrong.extend(f"{who}: there is no volume {mount['name']}" for mount in container["volumeMounts"] if mount["name"] not in known)


def variables():
    """Every variable WEIR_… that a file of deployment sets is one that a program or script knows."""
    sources = subprocess.run(["git", "ls-files", "*.rs"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    known = set()
    for source in sources:
        known |= set(re.findall(r'"(WEIR_[A-Z0-9_]+)"', (ROOT / source).read_text()))
    known |= {f"{name}_FILE" for name in known}
    # Of the files that set them themselves: images of compose, addresses of HAProxy.
    known |= set(re.findall(r"\$\{?\"?(WEIR_[A-Z0-9_]+)", "".join(path.read_text() for path in [INFRA / "compose/compose.yaml", *INFRA.glob("haproxy/*.cfg")])))
    files = [*INFRA.glob("compose/*"), INFRA / "compose/.env.example", *INFRA.glob("kubernetes/*"), *INFRA.glob("systemd/*"), *INFRA.glob("docker/*")]
    for path in files:
        for name in re.findall(r"\b(WEIR_[A-Z0-9_]+)\b", path.read_text()):
            if name not in known:
                wrong.append(f"{path.relative_to(ROOT)}: no program knows {name}")


def secrets():
    """No file of deployment holds a secret: they name files."""
    for path in [*INFRA.glob("compose/*"), *INFRA.glob("kubernetes/*"), *INFRA.glob("systemd/*"), *INFRA.glob("docker/*")]:
        for line in path.read_text().splitlines():
            if re.search(r"\b(PASSWORD|TOKEN|SECRET_ACCESS_KEY|ADMIN_KEY)\s*[:=]", line):
                wrong.append(f"{path.relative_to(ROOT)}: a secret belongs into a file: {line.strip()}")


def anchor(title):
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def alerts():
    """Every alert has a runbook's section that is there, a severity, a test in which it fires and that begins quietly."""
    fires = set()
    for path in (INFRA / "monitoring/tests").glob("*.test.yml"):
        for test in documents(path)[0]["tests"]:
            samples = [one["exp_samples"] for one in test["promql_expr_test"]]
            if not samples or samples[0]:
                wrong.append(f"{path.name}: \"{test['name']}\" does not begin without alerts")
            fires |= {name for sample in samples for one in sample for name in re.findall(r'alertname="(\w+)"', one["labels"])}
    rules = []
    for path in (INFRA / "monitoring/rules").glob("*.yml"):
        rules += [rule for group in documents(path)[0]["groups"] for rule in group["rules"]]
    for rule in rules:
        name = rule["alert"]
        if rule["labels"]["severity"] not in ("page", "ticket"):
            wrong.append(f"{name}: severity must be page or ticket")
        if name not in fires:
            wrong.append(f"{name}: no test makes it fire")
        file, _, section = rule["annotations"]["runbook"].partition("#")
        path = ROOT / file
        if not path.is_file() or section not in {anchor(title) for title in re.findall(r"^#+ (.+)$", path.read_text(), re.M)}:
            wrong.append(f"{name}: there is no {file}#{section}")
        index = (INFRA / "runbooks/README.md").read_text()
        if f"`{name}`" not in index:
            wrong.append(f"{name}: infra/runbooks/README.md does not name it")
    wrong.extend(f"{name} is tested and is no alert" for name in fires - {rule["alert"] for rule in rules})


def links():
    """Links between the pages of infra/ lead somewhere."""
    for path in INFRA.rglob("*.md"):
        if "node_modules" in path.parts:
            continue
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                wrong.append(f"{path.relative_to(ROOT)}: {target} is not there")


def dashboard():
    board = json.loads((INFRA / "monitoring/grafana/weir.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    if len(ids) != len(set(ids)) or not all(panel["type"] == "row" or panel["targets"] for panel in board["panels"]):
        wrong.append("monitoring/grafana/weir.json: a panel without a number of its own, or without a question")


for check in (manifests, variables, secrets, alerts, links, dashboard):
    check()
for line in wrong:
    print(f"check-deploy: {line}", file=sys.stderr)
sys.exit(bool(wrong))
