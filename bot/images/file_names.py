"""Names of files: whether they may be pictures', and how they are shown."""

from __future__ import annotations

PICTURE_SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
    ".mp4", ".m4v", ".mov", ".webm",
}  # fmt: skip
"""Names of files that may be pictures end in one of these; the bytes decide."""
TEXT_SUFFIXES = {
    ".txt", ".text", ".md", ".markdown", ".rst", ".csv", ".tsv", ".log", ".out", ".json", ".jsonl",
    ".ndjson", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".tex", ".bib",
    ".sql", ".graphql", ".proto", ".sh", ".bash", ".zsh", ".fish", ".bat", ".ps1", ".py", ".ipynb",
    ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".css", ".scss", ".c", ".h", ".cc",
    ".cpp", ".hpp", ".cs", ".java", ".kt", ".go", ".rs", ".rb", ".php", ".pl", ".lua", ".r", ".jl",
    ".swift", ".scala", ".tf", ".diff", ".patch", ".srt", ".vtt",
}  # fmt: skip
"""Names of files that may be plain text."""
DOCUMENT_SUFFIXES = {".pdf"} | TEXT_SUFFIXES
"""Names of files that may be documents."""
OFFICE_SUFFIXES = {
    ".doc", ".docx", ".docm", ".dot", ".dotx", ".xls", ".xlsx", ".xlsm", ".xlsb", ".ppt", ".pptx",
    ".pptm", ".pps", ".ppsx", ".odt", ".ods", ".odp", ".odg", ".rtf",
}  # fmt: skip
"""Names of files that a word processor, a spreadsheet or slides are made with."""

MAX_NAME_LENGTH = 60


def short_name(name: str) -> str:
    """A file's name as it is shown: one line, at most `MAX_NAME_LENGTH` characters."""
    printable = "".join(c if c.isprintable() else " " for c in name).strip() or "picture"
    if len(printable) <= MAX_NAME_LENGTH:
        return printable
    return f"{printable[: MAX_NAME_LENGTH - 12]}…{printable[-11:]}"
