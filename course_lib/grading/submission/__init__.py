"""One submission: from the file to its record."""

import sys

# jsonschema, which nbformat needs, would build a grammar of internationalized addresses: seconds in
# each process of each submission, and no notebook holds such an address.
sys.modules.setdefault("rfc3987_syntax", None)
