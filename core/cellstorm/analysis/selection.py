"""What is asked for of a table: drift taken out, filtered, linked, in this order, and only as far as it is asked for.

Drift is measured on the whole table, for what a filter takes away helps to follow it; filters then see positions as they
will be drawn, and what has passed is linked. Raw tables are kept as they are: this is a view.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from cellstorm.analysis.drift import corrected, measure_drift
from cellstorm.analysis.filtering import Filters
from cellstorm.analysis.linking import distance_to_link_nm, link
from cellstorm.analysis.precision import nena_precision, typical_precision_nm
from cellstorm.analysis.unknown import Unknown
from cellstorm.errors import InvalidSetting
from cellstorm.localizations import Localizations


class Selection(Filters):
    """Filters, and what else is to be done with the rows."""

    drift: bool = Field(default=False, description="Take out the drift that the localizations themselves show.")
    linked: bool = Field(default=False, description="One row for each emitter, however many frames it shone in.")

    @property
    def is_all(self) -> bool:
        """Whether the table is wanted as it is."""
        return all(getattr(self, name) == field.default for name, field in Selection.model_fields.items())

    @property
    def chosen(self) -> dict[str, str]:
        """What is not as it would be without asking, for notes in files."""
        fields = Selection.model_fields.items()
        return {name: str(getattr(self, name)) for name, field in fields if getattr(self, name) != field.default}

    def of(self, table: Localizations) -> Localizations:
        """What is asked for of an (n,) table, by frame.

        Raises
        ------
        InvalidSetting
            If drift is to be taken out and cannot be told.
        """
        table = table[np.argsort(table["frame"], kind="stable")]
        if self.drift:
            table = _without_drift(table)
        table = self.apply(table)
        return _linked(table) if self.linked and len(table) else table


def _linked(table: Localizations) -> Localizations:
    nena = nena_precision(table)
    precision_nm = typical_precision_nm(table) if isinstance(nena, Unknown) else nena.precision_nm
    return link(table, distance_to_link_nm(precision_nm)).table


def _without_drift(table: Localizations) -> Localizations:
    drift = measure_drift(table, int(table["frame"].max(initial=0)) + 1)
    if isinstance(drift, Unknown):
        raise InvalidSetting(f"drift cannot be taken out: {drift.reason}; ask for it without drift")
    return corrected(table, drift)
