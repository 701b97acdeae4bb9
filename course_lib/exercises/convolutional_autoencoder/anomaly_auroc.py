"""`anomaly_auroc(err_in, err_out)`: how often an anomaly has the larger error."""

import torch

from course_lib.exercises.spec import Case, Exercise


def cases(g: torch.Generator) -> list[Case]:
    """Never as many anomalies as normal images; ½ in one case alone, where all errors agree."""
    normal, odd = torch.randn(60, generator=g).exp(), (torch.randn(40, generator=g) + 0.8).exp()
    drawn = [torch.randint(i, 4 + i, (13 - i,), generator=g) for i in (0, 2)]
    simple = torch.randn(9, generator=g) + 4
    pairs = {
        "60 normal images, 40 anomalies": (normal, odd),
        "errors with many ties": [torch.cat([errors, torch.arange(2.0, 4)]) for errors in drawn],
        "anomalies with smaller errors": (simple, simple[:5] - 1.5),
        "every error the same": (torch.ones(3), torch.ones(4)),
        "anomalies above all others": (torch.arange(5.0), torch.arange(5.0, 8.0)),
        "hardly smaller errors": (torch.ones(4), torch.ones(3) - 2e-6),
    }
    return [Case(about, {"err_in": a, "err_out": b}) for about, (a, b) in pairs.items()]


EXERCISE = Exercise("anomaly_auroc", 2, cases, rtol=1e-5, atol=1e-6)
