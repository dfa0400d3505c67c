"""Shapes are checked at run time in every test: jaxtyping + beartype over our packages."""

from jaxtyping import install_import_hook

install_import_hook(["pipeline", "stages", "models"], "beartype.beartype")
