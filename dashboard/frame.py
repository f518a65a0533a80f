"""What is around every page: its width on large screens, and how it looks on paper."""

import html

import streamlit as st

# Lines of 2,000 pixels cannot be read, and a chart of that width says no more; below, pages use all there is. What Streamlit offers
# over a chart, our own buttons under it do with names, definitions and vectors; there it would lie on the finding.
WIDE = """
[data-testid="stMainBlockContainer"] { max-width: 1880px; margin: 0 auto; }
[data-testid="stCaptionContainer"], [data-testid="stMarkdownContainer"] > p { max-width: 110ch; }
.vsm-on-paper, [data-testid="stElementContainer"]:has(> .stHtml > .vsm-on-paper) { display: none; }
[class*="st-key-waiting_"]:has([data-testid="stSpinner"]) { min-height: 2.5rem; }
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-waiting_"]):not(:has([data-testid="stSpinner"])) { display: none; }
[data-testid="stHeaderActionElements"] { display: none; }
.st-key-period [role="radiogroup"] { flex-wrap: wrap; }
[class*="st-key-card_"] [data-testid="stElementToolbarButton"]:has(
  [aria-label^="Show data"], [aria-label^="Download as PNG"], [aria-label^="Copy Vega-Lite spec"]) { display: none; }
"""
# On paper nobody can press anything: controls go, and what they were set to is said in a line. A chart is as wide as its
# page, and is not cut in two.
PAPER = """
@page { size: A4 landscape; margin: 11mm; }
@media print {
  [data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stElementToolbar"], [data-testid="stButton"],
  [data-testid="stPopover"], [data-testid="stDownloadButton"], [data-testid="stPageLink"], [data-testid="stForm"],
  [data-testid="stFormSubmitButton"], [data-testid="stTooltipIcon"], [data-testid="stToast"], .vega-bindings,
  .st-key-filters, .st-key-news, .st-key-harvest, .st-key-copy_link { display: none !important; }
  .vsm-on-paper, [data-testid="stElementContainer"]:has(> .stHtml > .vsm-on-paper) { display: block; margin: 0; }
  [data-testid="stApp"], [data-testid="stAppViewContainer"], [data-testid="stMain"] {
    position: static !important; overflow: visible !important; height: auto !important; display: block !important;
  }
  [data-testid="stMainBlockContainer"] { max-width: none; padding: 0 !important; zoom: 0.78; }
  [class*="st-key-card_"], [class*="st-key-tile_"], [class*="st-key-panel_"], .st-key-findings { break-inside: avoid; }
  h1, h2, h3 { break-after: avoid; }
  [data-testid="stVegaLiteChart"], [data-testid="stVegaLiteChart"] * { max-width: 100% !important; }
  [data-testid="stVegaLiteChart"] svg.marks, [data-testid="stVegaLiteChart"] canvas { height: auto !important; }
  [data-testid="stDataFrame"] { max-width: 100%; overflow: hidden; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def dress() -> None:
    """Put the styles into the page; once a run."""
    st.html(f"<style>{WIDE}{PAPER}</style>")


def on_paper(said: str) -> None:
    """A line that only paper shows: what was chosen, as of when."""
    st.html(f'<p class="vsm-on-paper">{html.escape(said)}</p>', width="content")
