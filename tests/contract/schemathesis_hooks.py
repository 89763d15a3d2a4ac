"""Most generated queries are about the site that the key reads: others are refused before anything else of them is looked at."""
import schemathesis


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("site_id"), str) and body["site_id"]:
        body["site_id"] = "a.example"
    return body
