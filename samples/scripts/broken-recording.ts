/** What some portals send instead of a recording when a session has run out. */
export const brokenRecording = `<!doctype html>
<html lang="en">
  <head><title>Please sign in</title></head>
  <body>
    <h1>Please sign in</h1>
    <p>Your session has expired. Sign in again to download this recording.</p>
  </body>
</html>
`
