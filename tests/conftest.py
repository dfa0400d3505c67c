"""Shapes are checked at run time in every test: jaxtyping + beartype over our packages."""

from jaxtyping import install_import_hook

# A whole number is a fine float, as in PEP 484.
install_import_hook(
    ["pipeline", "stages", "models"], "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)
