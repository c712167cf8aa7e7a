"""Every place of a Slack message that a picture can stand in.

From Slack's reference of blocks, of attachments and of the file object.
"""

from __future__ import annotations

from tests.scenario.chat.places import BYTES, FILM, Named, Ornament, Rows, Used, pdf_in, tiff_in
from tests.scenario.chat.slack_messages import (
    PAGE,
    attached,
    blocks,
    file,
    plain,
    rich,
    said,
    section,
    words,
)

FILES: Rows = {
    "a file": (file("red.png", BYTES["red"], mode="hosted", mimetype="image/png"), Used()),
    "a file without a suffix": (file("IMG 1", BYTES["red"]), Used()),
    "a file with a wrong type": (file("red.png", BYTES["red"], mimetype="video/mp4"), Used()),
    "a file of the old shape": (lambda w: {"file": w.file()}, Used()),
    "a stub": (
        lambda w: {
            "files": [w.slack.in_event(w.slack.upload("red.png", BYTES["red"], stub=True))]
        },
        Used(),
    ),
    "a file kept elsewhere": (
        lambda w: {
            "files": [
                w.file(mode="external", is_external=True, mimetype="image/png")
                | {"url_private": f"{w.web}/red", "url_private_download": ""}
            ]
        },
        Used(),
    ),
    "a picture that came with an email": (
        lambda w: {
            "files": [
                w.file("mail", PAGE, mode="email", filetype="email", title="Your order")
                | {"attachments": [{"filename": "red.png", "url": w.file()["url_private"]}]}
            ]
        },
        Used(),
    ),
    "a canvas": (
        file(
            "Sprint_notes", mode="quip", filetype="quip", title="Sprint notes",
            mimetype="application/vnd.slack-docs",
        ),
        Named("“Sprint notes” was left out: it is a canvas, and I can only look at pictures, "
            "videos, PDFs and text files."),
    ),
    "a canvas by its mode": (
        file("notes", mode="canvas", mimetype="text/html", title="Notes"),
        Named("“Notes” was left out: it is a canvas"),
    ),
    "a canvas behind a stub": (
        lambda w: {
            "files": [
                w.slack.in_event(
                    w.slack.upload("n", PAGE, stub=True, described={"mode": "quip", "title": "N"})
                )
            ]
        },
        Named("“N” was left out: it is a canvas"),
    ),
    "a list": (
        file("Tasks", mode="list", filetype="list", mimetype="application/vnd.slack-list"),
        Named("“Tasks” was left out: it is a list"),
    ),
    "a post": (
        file("Plan", mode="post", filetype="post", mimetype="text/plain"),
        Named("“Plan” was left out: it is a post"),
    ),
    "a space": (file("Old plan", mode="space", filetype="space"), Named("it is a post")),
    "an email": (
        file("mail.eml", mode="email", filetype="email", mimetype="text/html", title="Your order"),
        Named("“Your order” was left out: it is an email"),
    ),
    "a snippet": (
        file("script.py", b"print()", mode="snippet", filetype="python", mimetype="text/plain"),
        Used((), 'Text of the file "script.py", quoted.'),
    ),
    "a web page": (
        file("report.html", mode="hosted", filetype="html", mimetype="text/html"),
        Named("“report.html” was left out: it is a web page, and"),
    ),
    "a web page named as a picture": (
        file("red.png", mode="hosted", mimetype="text/html"),
        Named("“red.png” was left out: it is a web page"),
    ),
    "a PDF": (
        file("report.pdf", pdf_in("red"), mimetype="application/pdf", filetype="pdf"),
        Used(("red",), 'Picture 1 is page 1 of 1 of the document "report.pdf".'),
    ),
    "a TIFF of two pages": (
        file("fax.tif", tiff_in("red", "blue"), mimetype="image/tiff"),
        Used(("red", "blue"), 'Picture 2 is page 2 of 2 of the document "fax.tif".'),
    ),
    "a PDF named as a picture": (
        file("red.png", pdf_in("red"), mimetype="image/png"),
        Used(("red",), "is page 1 of 1"),
    ),
    "a picture named as a PDF": (
        file("red.pdf", BYTES["red"], mimetype="application/pdf", filetype="pdf"),
        Used(),
    ),
    "a PDF that is damaged": (
        file("report.pdf", b"%PDF-1.7", mimetype="application/pdf", filetype="pdf"),
        Named("“report.pdf” was left out: the file is damaged or incomplete."),
    ),
    "a document": (
        file(
            "plan.docx", b"PK",
            mimetype="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        Named("it is an Office file, which I can't open. Please export it as a PDF and send that."),
    ),
    "a text file": (
        file("notes.txt", "売上は 12% 増".encode("cp932"), mimetype="text/plain", filetype="text"),
        Used((), "> 売上は 12% 増"),
    ),
    "a spreadsheet's text": (
        file("a.csv", b"name,price\ntea,3\n", mimetype="application/vnd.ms-excel"),
        Used((), "> tea,3"),
    ),
    "a document by its bytes": (
        file("plan", b"PK\3\4 [Content_Types].xml", mimetype="application/octet-stream"),
        Named("“plan” was left out: it is an Office file"),
    ),
    "an archive": (file("a.zip", b"PK", mimetype="application/zip"), Named("it is an archive")),
    "a drawing": (file("a.svg", b"<svg/>", mimetype="image/svg+xml"), Named("it is an SVG")),
    "a video": (file("a.avi", b"..", mimetype="video/x-msvideo"), Named("it is a video, and")),
    "a video whose frames can be seen": (file("a.mp4", FILM, mimetype="video/mp4"), Used()),
    "a broken video": (
        file("a.mp4", FILM[:99], mimetype="video/mp4"),
        Named("“a.mp4” was left out: the video is damaged"),
    ),
    "a sound": (file("a.mp3", b"..", mimetype="audio/mpeg"), Named("it is an audio file")),
    "a voice clip": (
        file("audio_message.m4a", b"..", subtype="slack_audio", mimetype="video/mp4"),
        Named("it is a voice message"),
    ),
    "a video clip": (
        file("clip.mp4", FILM, subtype="slack_video", mimetype="video/mp4"),
        Used(),
    ),
    "a document kept elsewhere": (
        file("Budget", mode="external", is_external=True, filetype="gsheet", external_type="gdrive",
             mimetype="application/vnd.google-apps.spreadsheet"),
        Named("“Budget” was left out: it is a file stored outside Slack"),
    ),
    "something unknown": (
        file("a.bin", b"\0\1\2", mimetype="application/octet-stream"),
        Named("“a.bin” was left out: I can't read this kind of file"),
    ),
    "a deleted file": (file("old.png", mode="tombstone"), Named("it has been deleted")),
    "a hidden file": (file("old.png", mode="hidden_by_limit"), Named("hidden by the workspace")),
}  # fmt: skip

BLOCKS: Rows = {
    "an image block": (blocks(lambda w: w.image()), Used()),
    "an image block with a title": (blocks(lambda w: w.image(title=plain("v1.2"))), Used()),
    "an image block, a file by its id": (blocks(lambda w: w.slack_file("id")), Used()),
    "an image block, a file by its address": (blocks(lambda w: w.slack_file("url")), Used()),
    "an image block, a file by its link": (blocks(lambda w: w.slack_file("permalink")), Used()),
    "a section's accessory": (blocks(lambda w: section(accessory=w.image())), Used()),
    "a section's accessory, a file": (
        blocks(lambda w: section(accessory=w.slack_file())),
        Used(),
    ),
    "a context's image": (
        blocks(lambda w: {"type": "context", "elements": [words("by"), w.image()]}),
        Used(),
    ),
    "a card's picture": (
        blocks(lambda w: {"type": "card", "hero_image": w.image(), "icon": w.image("blue")}),
        Used(),
    ),
    "a carousel": (
        blocks(
            lambda w: {
                "type": "carousel",
                "elements": [{"type": "card", "hero_image": w.image(it)} for it in ("red", "blue")],
            }
        ),
        Used(("red", "blue")),
    ),
    "a container": (
        blocks(
            lambda w: {
                "type": "container",
                "title": plain("a title"),
                "icon": w.image("blue"),
                "child_blocks": [section(accessory=w.image())],
            }
        ),
        Used(),
    ),
    "a block that came after this was written": (
        blocks(lambda w: {"type": "collage", "tiles": [{"picture": w.image()}]}),
        Used(),
    ),
    "large ones go before small ones": (
        lambda w: {"blocks": [section(accessory=w.image("blue")), w.image("red")]},
        Used(("red", "blue")),
    ),
    "a video block": (
        blocks(
            lambda w: {
                "type": "video", "title": plain("The launch"), "alt_text": "a launch",
                "video_url": f"{w.web}/v", "thumbnail_url": f"{w.web}/red.png",
            }
        ),
        Named("“The launch” was left out: it is a video"),
    ),
    "a file block": (
        blocks(lambda w: {"type": "file", "source": "remote", "file_id": w.file()["id"]}),
        Used(),
    ),
    "a file block of another system": (
        blocks(lambda _: {"type": "file", "source": "remote", "external_id": "ABCD1"}),
        Named("“ABCD1” was left out: it is a file stored outside Slack"),
    ),
    "a link in a section": (
        blocks(lambda w: {"type": "section", "text": words(f"<{w.web}/red.png|this>")}),
        Used(),
    ),
    "a link in a section's field": (
        blocks(lambda w: section(fields=[words(f"see <{w.web}/red.png>")])),
        Used(),
    ),
    "a link in a context": (
        blocks(lambda w: {"type": "context", "elements": [words(f"<{w.web}/red.png>")]}),
        Used(),
    ),
    "a picture in Markdown": (
        blocks(lambda w: {"type": "markdown", "text": f"![a graph]({w.web}/red.png)"}),
        Used(),
    ),
    "a link in rich text": (
        blocks(lambda w: rich({"type": "link", "url": f"{w.web}/red.png", "text": "this"})),
        Used(),
    ),
    "a link in a table": (
        blocks(
            lambda w: {
                "type": "table",
                "rows": [[rich({"type": "link", "url": f"{w.web}/red.png"})]],
            }
        ),
        Used(),
    ),
    "a task's source": (
        blocks(
            lambda w: {
                "type": "plan", "title": "a plan",
                "tasks": [
                    {
                        "type": "task_card", "title": "a task",
                        "sources": [{"type": "url", "url": f"{w.web}/red.png", "text": "graph"}],
                    }
                ],
            }
        ),
        Used(),
    ),
    "a card's icon": (
        blocks(lambda w: {"type": "card", "title": words("a card"), "icon": w.image()}),
        Ornament(),
    ),
    "an emoji": (blocks(lambda _: rich({"type": "emoji", "name": "party_cat"})), Ornament()),
    "a button": (
        blocks(
            lambda w: {
                "type": "actions",
                "elements": [{"type": "button", "text": plain("x"), "url": f"{w.web}/red.png"}],
            }
        ),
        Ornament(),
    ),
}  # fmt: skip

ATTACHMENTS: Rows = {
    "an attachment's image": (attached(lambda w: {"image_url": f"{w.web}/red.png"}), Used()),
    "an attachment's image without a suffix": (
        attached(lambda w: {"title": "CPU > 90%", "image_url": f"{w.web}/render/red?panel=2"}),
        Used(),
    ),
    "an attachment's image with another suffix": (
        attached(lambda w: {"title": "v1.2", "image_url": f"{w.web}/red.php?panel=2"}),
        Used(),
    ),
    "an attachment's thumbnail": (attached(lambda w: {"thumb_url": f"{w.web}/red"}), Used()),
    "an attachment's image block": (attached(lambda w: {"blocks": [w.image()]}), Used()),
    "an attachment's accessory": (
        attached(lambda w: {"blocks": [section(accessory=w.slack_file("url"))]}),
        Used(),
    ),
    "an attachment's file": (attached(lambda w: {"files": [w.file()]}), Used()),
    "an attachment that is a file": (
        attached(lambda w: {"is_file_attachment": True, "file_id": w.file()["id"]}),
        Used(),
    ),
    "a link in an attachment": (attached(lambda w: {"text": f"<{w.web}/red.png|graph>"}), Used()),
    "a link in an attachment's field": (
        attached(lambda w: {"fields": [{"title": "graph", "value": f"<{w.web}/red.png>"}]}),
        Used(),
    ),
    "an app's picture of a link": (
        attached(
            lambda w: {
                "from_url": "https://grafana.example/d/1", "is_app_unfurl": True,
                "image_url": f"{w.web}/render/red",
            }
        ),
        Used(),
    ),
    "a link that is a picture": (
        attached(lambda w: {"from_url": f"{w.web}/red", "image_url": f"{w.web}/red"}),
        Used(),
    ),
    "a shared message's file": (
        attached(lambda w: {"is_share": True, "text": "look", "files": [w.file()]}),
        Used(),
    ),
    "a shared message's blocks": (
        attached(
            lambda w: {
                "is_msg_unfurl": True, "from_url": "https://local.slack.com/archives/C1/p1",
                "message_blocks": [{"channel": "C1", "message": {"blocks": [w.image()]}}],
            }
        ),
        Used(),
    ),
    "a shared message's attachment": (
        attached(
            lambda w: {
                "is_msg_unfurl": True, "from_url": "https://local.slack.com/archives/C1/p1",
                "attachments": [{"image_url": f"{w.web}/render/red"}],
            }
        ),
        Used(),
    ),
    "a message shared in a shared message": (
        attached(
            lambda w: {
                "is_share": True,
                "attachments": [
                    {
                        "is_share": True,
                        "message_blocks": [{"message": {"attachments": [{"files": [w.file()]}]}}],
                    }
                ],
            }
        ),
        Used(),
    ),
    "a shared list": (
        attached(lambda _: {"list": {"id": "F9", "title": "Tasks", "name": "tasks"}}),
        Named("“Tasks” was left out: it is a list"),
    ),
    "the same picture twice": (
        lambda w: {
            "blocks": [w.image("red.png")],
            "attachments": [{"image_url": f"{w.web}/red.png", "thumb_url": f"{w.web}/red.png"}],
            "text": f"<{w.web}/red.png>",
        },
        Used(),
    ),
    "the same file twice": (
        lambda w: {
            "files": [(file := w.file())],
            "blocks": [{"type": "image", "slack_file": {"url": file["url_private"]}}],
            "attachments": [{"blocks": [{"type": "image", "slack_file": {"id": file["id"]}}]}],
        },
        Used(),
    ),
    "a video behind a link": (
        attached(
            lambda w: {
                "from_url": f"{w.web}/watch", "title": "The launch", "video_html": "<iframe>",
                "thumb_url": f"{w.web}/red.png",
            }
        ),
        Named("“The launch” was left out: it is a video"),
    ),
    "a page's preview": (
        attached(
            lambda w: {"from_url": "https://news.example/", "image_url": f"{w.web}/red.png"}
        ),
        Ornament(),
    ),
    "an author's and a footer's icon": (
        attached(
            lambda w: {
                "author_name": "Ann", "author_icon": f"{w.web}/red.png", "text": "hello",
                "footer": "app", "footer_icon": f"{w.web}/red.png",
                "service_icon": f"{w.web}/red.png",
            }
        ),
        Ornament(),
    ),
}  # fmt: skip

WORDS: Rows = {
    "a link": (said("<WEB/red.png>"), Used()),
    "a link with a label": (said("see <WEB/red.png|the graph>。"), Used()),
    "a link with &": (said("<WEB/red.png?a=1&amp;b=2>"), Used()),
    "a link in code": (said("`WEB/red.png`"), Used()),
    "a link in Japanese": (said("「WEB/red.png」を見て"), Used()),
    "a link to a file of Slack's": (
        lambda w: {"text": f"<https://local.slack.com/files/U1/{w.file()['id']}/red.png>"},
        Used(),
    ),
    "a link to a page": (said("<https://news.example/>"), Ornament()),
    "an emoji in words": (said(":party_cat:"), Ornament()),
}

TYPED: Rows = {
    "a link": (said("WEB/red.png"), Used(("red",))),
    "a link in words": (said("see <WEB/red.png> and tell me."), Used(("red",))),
    "a link with &": (said("WEB/red.png?a=1&copy=2"), Used(("red",))),
    "two links": (said("WEB/red.png or WEB/blue.png"), Used(("red", "blue"))),
    "a link that leads nowhere": (said("http://127.0.0.1:9/none.png"), Named("“none.png”")),
    "a link to a page": (said("https://news.example/"), Ornament()),
}
"""What is typed into a modal: no markup of Slack's."""

SLACK: Rows = {**FILES, **BLOCKS, **ATTACHMENTS, **WORDS}
