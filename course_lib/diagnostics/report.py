"""What `examine` found, as a card in a notebook and as text elsewhere."""

from __future__ import annotations

import html
import math
import statistics
from dataclasses import dataclass
from typing import NamedTuple

from course_lib.card import code_html
from course_lib.diagnostics.entries import NOTEBOOKS
from course_lib.diagnostics.faults import (
    BYPASS,
    COLLAPSED,
    COMPANY,
    FAR,
    MODES,
    NO_SIGMA,
    SAME,
    Finding,
    worse_held_out,
)
from course_lib.diagnostics.measures import Measures
from course_lib.diagnostics.objective import Weights


class Line(NamedTuple):
    """One measurement: what, its value, what is normal; whether it is, None where that is open."""

    what: str
    value: str
    normal: str
    fine: bool | None


@dataclass(frozen=True)
class Report:
    """The likely faults in order, and every measurement. Empty `findings`: nothing was found."""

    findings: list[Finding]
    lines: list[Line]

    def head(self) -> str:
        """The first finding, or that there is none."""
        if not self.findings:
            return "✓ nothing found"
        return "✗ " + "; ".join(finding.name for finding in self.findings)

    def __repr__(self) -> str:
        found = [
            f"  {i}. {f.name}: {f.evidence}\n     {f.entry.repair} "
            f"(notebook {f.entry.theory}; 07, section {f.entry.section})"
            for i, f in enumerate(self.findings, 1)
        ]
        widths = [max(len(line[i]) for line in self.lines) for i in range(3)]
        rows = [
            "  " + "  ".join(text.ljust(w) for text, w in zip(line[:3], widths, strict=True))
            + f"  {_sign(line)}"
            for line in self.lines
        ]  # fmt: skip
        return "\n".join([self.head(), *found, *rows])

    def _repr_html_(self) -> str:
        found = "".join(
            f"<li><b>{html.escape(f.name)}</b>: {html.escape(f.evidence)}<br>"
            f"{code_html(f.entry.repair)} "
            f"(<a href='{NOTEBOOKS[f.entry.theory]}.ipynb'>notebook {f.entry.theory}</a>; "
            f"<a href='{NOTEBOOKS['07']}.ipynb'>07, section {f.entry.section}</a>)</li>"
            for f in self.findings
        )
        cells = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(t)}</td>" for t in
                             (*line[:3], _sign(line))) + "</tr>"
            for line in self.lines
        )  # fmt: skip
        colour = "#D55E00" if self.findings else "#009E73"
        return (
            f"<div class='course-card' role='status' style='border-left:6px solid {colour};"
            "background:white;color:#111;padding:8px 14px;font-size:14px;max-width:60em'>"
            f"<b>{html.escape(self.head())}</b><ol>{found}</ol><details><summary>"
            f"{len(self.lines)} measurements</summary><table style='color:#111'><tr><th>what</th>"
            f"<th>value</th><th>normal</th><th></th></tr>{cells}</table></details></div>"
        )


def _sign(line: Line) -> str:
    return {True: "✓", False: "✗", None: ""}[line.fine]


def lines(m: Measures, w: Weights | None) -> list[Line]:
    """Every measurement that could be made, as a line."""
    share = "of the images' spread"
    found = [
        _line("pixels", (m.x_min, m.x_max), "from 0 to 1", m.x_min >= -0.01 and m.x_max <= 1.01),
        _line("outputs", (m.out_min, m.out_max), "as the pixels", None),
        _line("error, 1 for the mean image", m.error, "below 1", m.error < 1),
        _line("the same against other images", m.error_of_others, "above the error",
              m.error_of_others > m.error),
        _line("the same, from other images' codes", m.error_of_code, "as against other images",
              m.error_of_code >= BYPASS * m.error_of_others),
        _line("reconstructions differ by", m.spread, f"0.3 to 1 {share}", m.spread > SAME),
        _line("other codes move images by", m.code_effect, f"above {SAME} {share}",
              m.code_effect > SAME),
        _line("train() moves images by", m.mode_gap, f"below {MODES} of their spread",
              m.mode_gap < MODES),
        _line("company moves images by", m.company_gap, f"0 {share}", m.company_gap < COMPANY),
    ]  # fmt: skip
    if m.is_vae:
        found += _of_vae(m)
    if not math.isnan(m.decoder_sigma):
        found.append(_line("smallest σ of the decoder", m.decoder_sigma, "not near 0",
                           m.decoder_sigma > NO_SIGMA))  # fmt: skip
    if not math.isnan(m.held_out_error):
        found.append(_line("error on held-out images", m.held_out_error, "as above",
                           not worse_held_out(m)))  # fmt: skip
    if not math.isnan(m.nats):
        told = _told(m.nats, ".1f") + (
            "" if math.isnan(m.held_out_nats) else f", held out {_told(m.held_out_nats, '.1f')}"
        )
        found.append(Line("−ELBO, nats per image", told, "alike on both", None))
    return [*found, *(_of_loss(w) if w is not None and w.kind else [])]


def _of_vae(m: Measures) -> list[Line]:
    rate, used = sum(m.kl), sum(kl > COLLAPSED for kl in m.kl)
    moment = statistics.median(m.second_moment)
    found = [
        Line("KL, nats per image", f"{_told(rate, '.2f')}, {used} of {len(m.kl)} latents used",
             "above 0", used > 0 and math.isfinite(rate)),
        _line("σ of q(z|x)", (m.sigma_min, m.sigma_max), "some below 1", m.sigma_min < 1),
        _line("E z² of the codes, median", moment, "near 1, as the prior", moment < FAR),
        _line("noise moves images by", m.noise_effect, "below what codes do", None),
    ]  # fmt: skip
    if not math.isnan(m.drawn_sd):
        told = f"mean {m.drawn_mean:.2f}, deviation {m.drawn_sd:.2f}"
        fine = abs(m.drawn_mean) < 0.15 and abs(m.drawn_sd - 1) < 0.15
        found.append(Line("(z − μ)/σ of its own z", told, "mean 0, deviation 1", fine))
    return found


def _of_loss(w: Weights) -> list[Line]:
    return [
        Line("the loss's distortion", f"{w.a:.3g} × {w.kind}, {w.explained:.0%} of the gradient",
             "all of the decoder's gradient", w.explained > 0.8),
        Line("a nat of rate costs", f"{w.beta:.3g} of it", "1 for the ELBO", None),
        Line("parameters without a gradient", str(len(w.unreached)), "0", not w.unreached),
    ]  # fmt: skip


def _line(what: str, value: float | tuple[float, float], normal: str, fine: bool | None) -> Line:
    values = value if isinstance(value, tuple) else (value,)
    return Line(what, " to ".join(_told(v) for v in values), normal, fine)


def _told(value: float, form: str = ".3g") -> str:
    """A number in words where it is none: `inf` in a table reads like a name."""
    if math.isnan(value):
        return "not a number"
    return format(value, form) if math.isfinite(value) else "beyond any number"
