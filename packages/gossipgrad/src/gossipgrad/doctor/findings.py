"""A finding: one question about the machine, its answer, and the evidence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of the doctor.

    Attributes:
        name: What was asked.
        answer: In a word or two.
        evidence: How that is known.
        advice: What to do about it; empty where nothing needs doing.
    """

    name: str
    answer: str
    evidence: str = ""
    advice: str = ""


def as_text(findings: list[Finding]) -> str:
    """Returns the findings as an aligned table, advice under the line that it belongs to."""
    names = max(len(finding.name) for finding in findings)
    answers = max(len(finding.answer) for finding in findings)
    lines = []
    for finding in findings:
        line = f"{finding.name:{names}}  {finding.answer:{answers}}  {finding.evidence}"
        lines.append(line.rstrip())
        if finding.advice:
            lines.append(f"{'':{names}}  -> {finding.advice}")
    return "\n".join(lines)
