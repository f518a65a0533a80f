"""The door: what pages, charts to take along and the API may ask. All of it is in the rooms behind (`dashboard.behind`).

There is the only cache, the only engine and the only clock of the dashboard. Nothing is cached by what is in a frame: that is
large. Keys are the store's version, the configuration's text and the filters. What comes out is shared between viewers and must
not be changed.
"""

from dashboard.behind.accounts import audited, exported, note_down, sign_in_address, viewer_with
from dashboard.behind.choices import Choice, Known, NothingYet
from dashboard.behind.flows import known, known_already, shown, told
from dashboard.behind.harvests import begin_harvest, harvesting, harvests, stop_harvest
from dashboard.behind.journals import (
    add_experiment,
    add_future_state,
    add_hand_step,
    add_note,
    end_experiment,
    experiments,
    future_states,
    hand_steps,
    notes,
    remove_experiment,
    remove_future_state,
    remove_hand_step,
    remove_note,
)
from dashboard.behind.look import CONFIG, STORE, config, news, one_look, sources, url, viewer, viewer_of, why_not_ready
from dashboard.behind.periods import changes, compared, judged, measured_already, measures, measures_before, said, since
from dashboard.behind.results import beside, cards, document, drawn, explainable, explained, kept, pack, several, way

__all__ = [
    "CONFIG",
    "STORE",
    "Choice",
    "Known",
    "NothingYet",
    "add_experiment",
    "add_future_state",
    "add_hand_step",
    "add_note",
    "audited",
    "begin_harvest",
    "beside",
    "cards",
    "changes",
    "compared",
    "config",
    "document",
    "drawn",
    "end_experiment",
    "experiments",
    "explainable",
    "explained",
    "exported",
    "future_states",
    "hand_steps",
    "harvesting",
    "harvests",
    "judged",
    "kept",
    "known",
    "known_already",
    "measured_already",
    "measures",
    "measures_before",
    "news",
    "note_down",
    "notes",
    "one_look",
    "pack",
    "remove_experiment",
    "remove_future_state",
    "remove_hand_step",
    "remove_note",
    "said",
    "several",
    "shown",
    "sign_in_address",
    "since",
    "sources",
    "stop_harvest",
    "told",
    "url",
    "viewer",
    "viewer_of",
    "viewer_with",
    "way",
    "why_not_ready",
]
