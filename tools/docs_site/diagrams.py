"""The bundle of mermaid.js, as part of the site: diagrams need no network."""

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

# Where `make docs` installs the package that carries the bundle.
PACKAGE = Path(sys.prefix, "mermaid")
BUNDLE = PACKAGE / "nicegui" / "elements" / "mermaid" / "dist"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the modules of the bundle."""
    if not (BUNDLE / "index.js").is_file():
        raise PluginError(f"there is no bundle of mermaid.js in {BUNDLE}: build by `make docs`")
    for module in sorted(BUNDLE.glob("*.js")):
        uri = f"assets/mermaid/{module.name}"
        files.append(File.generated(config, uri, abs_src_path=str(module)))
    return files
