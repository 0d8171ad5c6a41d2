"""The same app and the same runs in a browser, on this machine only unless told otherwise; needs the extra `web`."""
