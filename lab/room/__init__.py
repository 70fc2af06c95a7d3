"""The control room: a lab in the browser, live, with what can be done to it as `lab` commands.

    door      keeps the address, and starts the room when somebody opens it
    address   where it is: a port of this machine alone, a token
    serve     the room's process: a server on 127.0.0.1, for as long as it is wanted
    guard     who may come in: token, Host, Origin
    server    what is answered: the page, the stream of changes, actions, reports, logs
    board     the newest of everything, for all open pages
    looker    looks at the lab once a second, while a page is open
    view      what was seen, as text, states and pieces of HTML; picture and plots draw
    actions   a form that was sent becomes a `lab` command
    jobs      runs these commands, and keeps what they print

The page is drawn by the server. A small script takes in what has changed; forms work without it.
"""
