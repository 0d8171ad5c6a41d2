"""Every key of the app as data: bindings, the line of keys at the bottom and the help screen are made from this table.

Labels are English here and translated where they are shown (`_`), so one process can change its language. Knows no
screen.
"""

from __future__ import annotations

from typing import Final

from liveavatar_tui.keys import Key
from lora_repository.i18n import N_

APP: Final = (
    Key("app.home", "0,f6", "app.go('home')", N_("Home"), N_("Where you are: channels, jobs, this machine"), False),
    Key("app.versions", "1,f2", "app.go('versions')", N_("Versions"), N_("The versions of the repository"), False),
    Key("app.generate", "2,f3", "app.go('generate')", N_("Generate"), N_("The form that starts a job"), False),
    Key("app.jobs", "3,f4", "app.go('jobs')", N_("Jobs"), N_("All jobs, running and ended"), False),
    Key(
        "app.settings", "4,f7", "app.go('settings')", N_("Settings"), N_("Every setting and where it comes from"), False
    ),
    Key("app.palette", "ctrl+p", "app.command_palette", N_("Commands"), N_("Find a command by its name"), False),
    Key("app.help", "question_mark,f1", "app.help", N_("Help"), N_("All keys, by screen")),
    Key("app.quit", "q,ctrl+q", "app.quit", N_("Quit"), N_("Leave the app; running jobs go on")),
)
LISTS: Final = (
    Key("list.down", "down,j", "cursor_down", N_("Down"), N_("Next row"), False),
    Key("list.up", "up,k", "cursor_up", N_("Up"), N_("Previous row"), False),
    Key("list.page_down", "pagedown,ctrl+d", "page_down", N_("Page down"), N_("One page down"), False),
    Key("list.page_up", "pageup,ctrl+u", "page_up", N_("Page up"), N_("One page up"), False),
    Key("list.top", "home,g", "scroll_top", N_("Top"), N_("First row"), False),
    Key("list.bottom", "end,G", "scroll_bottom", N_("Bottom"), N_("Last row"), False),
)
ROWS: Final = (
    Key("rows.down", "down,j", "cursor_down", N_("Down"), N_("Next line, or the next list"), False),
    Key("rows.up", "up,k", "cursor_up", N_("Up"), N_("Line before, or the list before"), False),
    Key("rows.top", "home,g", "top", N_("Top"), N_("First line"), False),
    Key("rows.bottom", "end,G", "bottom", N_("Bottom"), N_("Last line"), False),
    Key("rows.choose", "enter", "choose", N_("Open"), N_("Open what is selected"), False),
)
HOME: Final = (
    Key(
        "home.open",
        "enter",
        "screen.open",
        N_("Open"),
        N_("Go to the version of the selected channel, or to the selected job"),
    ),
    Key("home.new", "n", "screen.new", N_("New job"), N_("Open the form with the selected channel")),
    Key("home.next", "tab", "app.focus_next", N_("Next list"), N_("From one list to the other"), False),
    Key("home.refresh", "r,f5", "screen.refresh_home", N_("Refresh"), N_("Look at everything again"), False),
)
REPOSITORY: Final = (
    Key(
        "repository.generate",
        "enter",
        "screen.generate",
        N_("Generate with it"),
        N_("Open the form with the selected version"),
    ),
    Key("repository.details", "d", "screen.details", N_("Details"), N_("Everything about the selected version")),
    Key("repository.activate", "a", "screen.activate", N_("Switch"), N_("Point a channel at the selected version")),
    Key("repository.promote", "p", "screen.promote", N_("Promote"), N_("Point production at what staging is")),
    Key("repository.undo", "u", "screen.undo", N_("Undo"), N_("Take back the last switch, removal or pruning")),
    Key("repository.filter", "slash", "screen.filter", N_("Filter"), N_("Show only versions that match what you type")),
    Key("repository.mend", "m", "screen.mend", N_("Mend"), N_("Mend what leaves no doubt: names, rights, ranks")),
    Key("repository.check", "c", "screen.check", N_("Check"), N_("Read every byte of the selected version")),
    Key(
        "repository.publish", "n", "screen.publish", N_("Publish"), N_("Make a version of a folder, file, hub id, URL")
    ),
    Key("repository.history", "h", "screen.history", N_("History"), N_("All switches, to go back to any of them")),
    Key(
        "repository.mark",
        "space",
        "screen.mark",
        N_("Compare"),
        N_("Mark two versions, one after the other, to compare"),
    ),
    Key("repository.rollback", "b", "screen.rollback", N_("Roll back"), N_("Point a channel back where it was"), False),
    Key("repository.sort", "s", "screen.sort(1)", N_("Sort"), N_("Sort by the next column"), False),
    Key("repository.reverse", "S", "screen.sort(0)", N_("Reverse"), N_("Turn the order round"), False),
    Key("repository.remove", "x,delete", "screen.remove", N_("Remove"), N_("Move the version to the trash"), False),
    Key("repository.trash", "t", "screen.trash", N_("Trash"), N_("Bring back what was removed; prune"), False),
    Key("repository.fetch", "f", "screen.fetch", N_("Fetch"), N_("Bring what a channel names to this host"), False),
    Key("repository.copy", "y", "screen.copy_path", N_("Copy path"), N_("Copy the path of the version"), False),
    Key("repository.clear", "escape", "screen.clear", N_("Show all"), N_("Out of the filter, and of a mark"), False),
    Key("repository.refresh", "r,f5", "screen.refresh_versions", N_("Refresh"), N_("Read the folder again"), False),
)
VERSION: Final = (
    Key("version.back", "escape", "screen.back", N_("Back"), N_("Back to the versions")),
    Key("version.tags", "e", "screen.edit", N_("Tags and notes"), N_("Change tags and notes")),
    Key("version.activate", "a", "screen.activate", N_("Switch"), N_("Point a channel at this version")),
    Key("version.check", "c", "screen.check", N_("Check"), N_("Read every byte of this version")),
    Key("version.mend", "m", "screen.mend", N_("Mend"), N_("Mend what leaves no doubt: names, rights, ranks")),
    Key("version.map", "w", "screen.strengths", N_("Strengths"), N_("How strongly it changes each block and module")),
)
COMPARE: Final = (
    Key("compare.back", "escape", "screen.back", N_("Back"), N_("Back to the versions")),
    Key("compare.map", "m,tab", "screen.turn", N_("Next map"), N_("Strength of each, their difference, their cosine")),
    Key("compare.swap", "x", "screen.swap", N_("Swap"), N_("Compare the other way round")),
)
HISTORY: Final = (
    Key("history.back", "escape", "screen.back", N_("Back"), N_("Back to the versions")),
    Key(
        "history.return", "enter,b", "screen.return_to", N_("Go back to it"), N_("Point its channel back to this state")
    ),
    Key("history.channel", "c", "screen.channel", N_("Channel"), N_("Show the switches of one channel, or of all")),
    Key("history.undo", "u", "screen.undo", N_("Undo"), N_("Take back what was just done here")),
)
TRASH: Final = (
    Key("trash.back", "escape", "screen.back", N_("Back"), N_("Back to the versions")),
    Key("trash.restore", "enter", "screen.restore", N_("Restore"), N_("Bring the selected version back")),
    Key("trash.prune", "p", "screen.prune", N_("Prune"), N_("Move old versions here")),
    Key("trash.empty", "x", "screen.empty", N_("Empty"), N_("Delete for good what was removed long ago")),
)
PUBLISH: Final = (
    Key("publish.back", "escape", "screen.back", N_("Back"), N_("Stop what is going on, or go back to the versions")),
    Key("publish.go", "ctrl+r", "screen.publish", N_("Publish"), N_("Make the version, as it is proposed or named")),
    Key("publish.look", "enter", "screen.look", N_("Look"), N_("Fetch, convert and prove the source")),
)
GENERATE: Final = (
    Key(
        "generate.launch", "ctrl+r", "screen.launch", N_("Launch"), N_("Check everything once more, then start the job")
    ),
    Key("generate.next", "tab,down", "app.focus_next", N_("Next field"), N_("Next field"), False),
    Key("generate.previous", "shift+tab,up", "app.focus_previous", N_("Previous"), N_("Previous field"), False),
    Key("generate.stack", "ctrl+t", "screen.stack", N_("On top"), N_("Apply one more adapter on top of those chosen")),
    Key("generate.earlier", "ctrl+y", "screen.earlier", N_("Earlier"), N_("Earlier values of this field")),
    Key("generate.save", "ctrl+s", "screen.save_preset", N_("Save"), N_("Keep this form under a name")),
    Key("generate.load", "ctrl+l", "screen.load_preset", N_("Presets"), N_("Fill the form from one kept under a name")),
    Key("generate.defaults", "ctrl+o", "screen.defaults", N_("Defaults"), N_("Set every field back to its default")),
    Key("generate.back", "escape", "screen.back", N_("Back"), N_("Back to the versions; the fields keep their values")),
)
JOB: Final = (
    Key("job.back", "escape", "screen.back", N_("Back"), N_("Back to the list of jobs; the job goes on")),
    Key("job.cancel", "x", "screen.cancel", N_("Cancel"), N_("Stop the job")),
    Key("job.follow", "f,G,end", "screen.follow", N_("Follow"), N_("Go to the end of the log and stay there"), False),
    Key("job.still", "s", "screen.still", N_("Still"), N_("One frame in full, in the terminal's own graphics")),
    Key("job.compare", "c", "screen.compare", N_("Compare"), N_("This job beside another: frames, differences"), False),
    Key("job.zoom", "z", "screen.zoom", N_("Zoom"), N_("The frames alone, or everything")),
    Key("job.path", "o", "screen.output", N_("Output"), N_("Copy the path of the video")),
    Key("job.again", "e", "screen.again", N_("Again"), N_("Open the form with the values of this job")),
)
JOBS: Final = (
    Key("jobs.open", "enter", "screen.open", N_("Open"), N_("Watch the selected job")),
    Key("jobs.cancel", "x", "screen.cancel", N_("Cancel"), N_("Stop the selected job, or take it out of the queue")),
    Key("jobs.retry", "r", "screen.retry", N_("Retry"), N_("Run the selected job once more, with the same values")),
    Key("jobs.sooner", "K,shift+up", "screen.sooner", N_("Sooner"), N_("One place forward in the queue")),
    Key("jobs.later", "J,shift+down", "screen.later", N_("Later"), N_("One place back in the queue"), False),
    Key("jobs.hold", "h", "screen.hold", N_("Hold"), N_("Let the others pass a waiting job, or let it go again")),
    Key("jobs.note", "n", "screen.note", N_("Note"), N_("Write on the selected job; it is then never pruned")),
    Key("jobs.filter", "slash", "screen.filter", N_("Filter"), N_("Show only jobs that match what you type")),
    Key("jobs.prune", "P", "screen.prune", N_("Prune"), N_("See which jobs are old, and delete them")),
    Key(
        "jobs.sort", "s", "screen.sort", N_("Sort"), N_("The next order: by state, version, time, speed, memory"), False
    ),
    Key("jobs.cheaper", "R", "screen.cheaper", N_("Cheaper"), N_("Once more with less memory, changing least"), False),
    Key("jobs.again", "e", "screen.again", N_("Again"), N_("Open the form with the values of this job"), False),
    Key(
        "jobs.back", "escape", "screen.back", N_("Back"), N_("Out of the filter; else back to the first screen"), False
    ),
)
LOG: Final = (
    Key("log.next", "n", "hit(1)", N_("Next"), N_("Next line that is sought"), False),
    Key("log.previous", "N", "hit(-1)", N_("Previous"), N_("Previous line that is sought"), False),
    Key("log.error", "E", "error", N_("Error"), N_("To the last error; again, to the one above it")),
    Key("log.level", "v", "level", N_("Level"), N_("All lines, warnings and errors, errors alone")),
    Key("log.wrap", "w", "wrap", N_("Wrap"), N_("Wrap long lines, or cut them at the edge"), False),
    Key("log.copy", "y", "copy", N_("Copy"), N_("Copy the marked line, or what is seen, to the clipboard"), False),
    Key("log.pager", "p", "pager", N_("Pager"), N_("Open the log in $PAGER"), False),
    Key("log.follow", "f,G,end", "follow", N_("Follow"), N_("To the last line, and stay there"), False),
    Key("log.down", "down,j", "scroll_rows(1)", N_("Down"), N_("One line down"), False),
    Key("log.up", "up,k", "scroll_rows(-1)", N_("Up"), N_("One line up, and stop following"), False),
    Key("log.top", "home,g", "home", N_("Top"), N_("First line"), False),
    Key("log.page_down", "pagedown,ctrl+d,space", "scroll_pages(1)", N_("Page down"), N_("One page down"), False),
    Key("log.page_up", "pageup,ctrl+u", "scroll_pages(-1)", N_("Page up"), N_("One page up"), False),
    Key("log.right", "right,l", "side(1)", N_("Right"), N_("Further along long lines"), False),
    Key("log.left", "left,h", "side(-1)", N_("Left"), N_("Back along long lines"), False),
)
SIDE_BY_SIDE: Final = (
    Key("side.back", "escape,c", "screen.back", N_("Back"), N_("Back to the job")),
    Key("side.next", "right,l,n", "screen.turn(1)", N_("Next"), N_("Compare with the next older job")),
    Key("side.previous", "left,h,p", "screen.turn(-1)", N_("Previous"), N_("Compare with the one before"), False),
)
STILL: Final = (
    Key("still.back", "escape,s", "screen.back", N_("Back"), N_("Back to the job")),
    Key("still.next", "right,l,space", "screen.turn(1)", N_("Next"), N_("The next frame that is kept")),
    Key("still.previous", "left,h", "screen.turn(-1)", N_("Previous"), N_("The frame before"), False),
)
SEARCH: Final = (
    Key("search.open", "slash", "search", N_("Seek"), N_("Seek in the log as one types")),
    Key("search.kind", "ctrl+r", "kind", N_("Expression"), N_("Seek words, or a regular expression"), False),
    Key("search.leave", "escape", "leave", N_("Leave"), N_("End the search; the log stays where it is"), False),
)
SWITCH: Final = (
    Key("switch.yes", "enter", "screen.confirm", N_("Switch"), N_("Do it")),
    Key("switch.down", "down,ctrl+n", "screen.turn(1)", N_("Next channel"), N_("The next channel")),
    Key("switch.up", "up", "screen.turn(-1)", N_("Previous"), N_("The channel before"), False),
    Key("switch.no", "escape", "screen.back", N_("Change nothing"), N_("Change nothing")),
)
REMARKS: Final = (
    Key("remarks.save", "ctrl+s,ctrl+r", "screen.save", N_("Save"), N_("Keep tags and note")),
    Key("remarks.back", "escape", "screen.back", N_("Change nothing"), N_("Change nothing")),
)
WAITING: Final = (Key("waiting.stop", "escape", "screen.stop", N_("Stop"), N_("Stop it; nothing half done stays")),)
TEXT: Final = (
    Key("text.down", "down,j", "scroll_down", N_("Down"), N_("One line down"), False),
    Key("text.up", "up,k", "scroll_up", N_("Up"), N_("One line up"), False),
    Key("text.page_down", "pagedown,ctrl+d", "page_down", N_("Page down"), N_("One page down"), False),
    Key("text.page_up", "pageup,ctrl+u", "page_up", N_("Page up"), N_("One page up"), False),
    Key("text.top", "home,g", "scroll_home", N_("Top"), N_("First line"), False),
    Key("text.bottom", "end,G", "scroll_end", N_("Bottom"), N_("Last line"), False),
)
PRESETS: Final = (
    Key("presets.take", "enter", "screen.confirm", N_("Take"), N_("Fill the form with the selected preset")),
    Key("presets.remove", "x", "screen.remove", N_("Remove"), N_("Take the selected preset away")),
    Key("presets.undo", "u", "screen.undo", N_("Undo"), N_("Bring the last one back")),
    Key("presets.back", "escape", "screen.back", N_("Back"), N_("Change nothing")),
)
SETTINGS: Final = (
    Key("settings.edit", "enter,e", "screen.edit", N_("Edit"), N_("Change the selected setting in config.yaml")),
    Key("settings.default", "d", "screen.default", N_("Default"), N_("Write the default of the selected setting down")),
    Key("settings.undo", "u", "screen.undo", N_("Undo"), N_("Take the last change back")),
)
HELP: Final = (Key("help.back", "escape,q", "screen.back", N_("Back"), N_("Back to where you were")),)
DIALOG: Final = (
    Key("dialog.yes", "enter", "screen.confirm", N_("Confirm"), N_("Do it")),
    Key("dialog.no", "escape", "screen.back", N_("Back"), N_("Change nothing")),
)
FIELDS: Final = (
    Key("fields.flip", "space,enter", "flip", N_("Toggle"), N_("Tick or untick"), False),
    Key("fields.choices", "enter,space", "show_overlay", N_("Choices"), N_("Show what can be chosen"), False),
)
HERE: Final = N_("This screen")
PACKAGE: Final = __name__.partition(".")[0]
TEXT_FIELDS: Final = (
    # Textual's own words for what keys do in a text field, marked for the catalogue.
    N_("Move cursor left"),
    N_("Move cursor left and select"),
    N_("Move cursor left a word"),
    N_("Move cursor left a word and select"),
    N_("Move cursor right or accept the completion suggestion"),
    N_("Move cursor right and select"),
    N_("Move cursor right a word"),
    N_("Move cursor right a word and select"),
    N_("Delete character left"),
    N_("Select all"),
    N_("Go to start"),
    N_("Go to end"),
    N_("Select line start"),
    N_("Select line end"),
    N_("Delete character right"),
    N_("Submit"),
    N_("Delete left to start of word"),
    N_("Delete all to the left"),
    N_("Delete right to start of word"),
    N_("Delete all to the right"),
    N_("Cut selected text"),
    N_("Copy selected text"),
    N_("Paste text from the clipboard"),
)
SECTIONS: Final = (
    (N_("Everywhere"), APP),
    (N_("Home"), HOME),
    (N_("Lists"), LISTS),
    (N_("Lists"), ROWS),
    (N_("Fields"), FIELDS),
    (N_("Versions"), REPOSITORY),
    (N_("One version"), VERSION),
    (N_("Comparison"), COMPARE),
    (N_("History"), HISTORY),
    (N_("Trash"), TRASH),
    (N_("Publish"), PUBLISH),
    (N_("Generate"), GENERATE),
    (N_("Jobs"), JOBS),
    (N_("One job"), JOB),
    (N_("Still"), STILL),
    (N_("Two jobs"), SIDE_BY_SIDE),
    (N_("Log"), LOG),
    (N_("Settings"), SETTINGS),
    (N_("Presets"), PRESETS),
    (N_("Seeking in a log"), SEARCH),
)
