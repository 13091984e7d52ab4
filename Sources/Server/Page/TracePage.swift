import HTTPTypes
import Hummingbird

/// The built-in page: one document with its style and scripts, so that it works offline and behind any proxy.
enum TracePage {
    static func response() -> Response {
        // A nonce per answer lets exactly these style and script elements run: were text from a span ever to become
        // markup, the browser would still refuse to execute it.
        let nonce = String(UInt64.random(in: 0 ... .max), radix: 36) + String(UInt64.random(in: 0 ... .max), radix: 36)
        var response = Response(.ok, "text/html; charset=utf-8", Array(html(nonce: nonce).utf8))
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; "
            + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        if let name = HTTPField.Name("X-Frame-Options") { response.headers[name] = "DENY" }
        return response
    }

    static func html(nonce: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Tailrace</title>
        <link rel="icon" href="data:,">
        <style nonce="\(nonce)">
        \(style)
        \(statisticsStyle)
        </style>
        </head>
        <body>
        \(markup)
        <script nonce="\(nonce)">
        "use strict";
        \(commonScript)
        \(searchScript)
        \(traceModelScript)
        \(traceScript)
        \(statisticsScript)
        \(mainScript)
        </script>
        </body>
        </html>

        """
    }
}
