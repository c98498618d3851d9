# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_banyan_global_optspecs
    string join \n file= env-file= instance= output= progress= color= H/host= verbose q/quiet v f= h/help V/version
end

function __fish_banyan_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_banyan_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_banyan_using_subcommand
    set -l cmd (__fish_banyan_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c banyan -n "__fish_banyan_needs_command" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_needs_command" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_needs_command" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_needs_command" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_needs_command" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_needs_command" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_needs_command" -s f -d 'Like --file (before the command: after `logs`, -f is --follow)' -r -F
complete -c banyan -n "__fish_banyan_needs_command" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_needs_command" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_needs_command" -s v -d 'Like --verbose (before the command: after `down`, -v is --volumes)'
complete -c banyan -n "__fish_banyan_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_needs_command" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "up" -d 'Bring the platform up, and wait until every service answers'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "down" -d 'Stop and remove the containers and the network; data stays unless -v'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "reset" -d 'Delete the data and bring the platform up anew'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "backup" -d 'Write the data of the platform into one file, and look after such files'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "restore" -d 'Bring the data of a backup back'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "status" -d 'Show the services and what runs of them'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "health" -d 'Ask every service in its own protocol'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "logs" -d 'Show what the services write'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "images" -d 'Get, build, save and load images'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "dlq" -d 'Look after messages that services gave up (dead letters)'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "users" -d 'Look after the users of the running platform, for development'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "services" -d 'Show the services that registered with service discovery, and how they are'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "contracts" -d 'Show what services offer, what changed, and who needs whom'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "init" -d 'Write the stack\'s files into this folder, to edit them'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c banyan -n "__fish_banyan_needs_command" -f -a "serve" -d 'Run a service of the platform (what its containers do)'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l wait-timeout -d 'The longest wait for one service' -r
complete -c banyan -n "__fish_banyan_using_subcommand up" -l profile -d 'Also the services of this profile; again for more, `*` for all' -r
complete -c banyan -n "__fish_banyan_using_subcommand up" -l platform-binary -d 'Linux executable of banyan for the platform\'s own image [default: this one]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand up" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand up" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand up" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand up" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand up" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand up" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand up" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand up" -l dry-run -d 'Print what would be done, and do nothing'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l exit-code -d 'With --dry-run: exit with 20 when something would change'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l setup -d 'Install and start Docker first, if there is none (Debian, Ubuntu)'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l strict -d 'Fail when an optional service cannot be had'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l pull -d 'Ask the registry for newer images, and again for those that could not be had'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l force-recreate -d 'Recreate the containers even when nothing has changed'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l no-deps -d 'Leave out what the services depend on'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l no-wait -d 'Return when the containers are started, without waiting until they answer'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l timings -d 'Print how long each step took'
complete -c banyan -n "__fish_banyan_using_subcommand up" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand up" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand up" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand up" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand down" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand down" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand down" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand down" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand down" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand down" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand down" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand down" -s v -l volumes -d 'Delete the volumes, and the data in them, too'
complete -c banyan -n "__fish_banyan_using_subcommand down" -l no-snapshot -d 'With -v: do not back the data up first'
complete -c banyan -n "__fish_banyan_using_subcommand down" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand down" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand down" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand down" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l to -d 'Go back to the data of this backup instead of to none: a file, a name that `backup list` shows, or `latest`' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l wait-timeout -d 'The longest wait for one service' -r
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand reset" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand reset" -s y -l yes -d 'Do not ask'
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l no-snapshot -d 'Do not back the data up first'
complete -c banyan -n "__fish_banyan_using_subcommand reset" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand reset" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand reset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand reset" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l name -d 'Keep it under this name in the folder of backups, until somebody deletes it: `reset --to NAME` goes back to it' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l to -d 'The file to write, or `-` for standard output [default: a new one where `backup list` finds it; of SQL text: standard output]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l longest-pause -d 'The longest time for which anything may stand still: then nothing is backed up' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l format -d 'What is written: all stores, or the database alone as SQL text' -r -f -a "banyan\t'Every store, in one checked file'
sql\t'The database, as text for psql'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l keep-last -d 'Delete older backups of this project, but so many of the newest' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l encrypt-to -d 'Encrypt for this age key (`age1…`); again for more [else with BANYAN_BACKUP_PASSPHRASE, if that is set]' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l online -d 'Let everything run: each store is right by itself, but they may be some moments apart'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l physical -d 'Copy PostgreSQL\'s files instead of dumping it: faster out and back, and only for the same image'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -f -a "create" -d 'Write a backup (what `backup` alone does)'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -f -a "list" -d 'Show the backups that are there'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -f -a "show" -d 'Show what is in a backup'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -f -a "verify" -d 'Read all of a backup, and check that every byte is right'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -f -a "schedule" -d 'Print what backs the platform up every day: a systemd timer, or a line for cron'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and not __fish_seen_subcommand_from create list show verify schedule prune" -f -a "prune" -d 'Delete old backups of this project, but none that was given a name'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l name -d 'Keep it under this name in the folder of backups, until somebody deletes it: `reset --to NAME` goes back to it' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l to -d 'The file to write, or `-` for standard output [default: a new one where `backup list` finds it; of SQL text: standard output]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l longest-pause -d 'The longest time for which anything may stand still: then nothing is backed up' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l format -d 'What is written: all stores, or the database alone as SQL text' -r -f -a "banyan\t'Every store, in one checked file'
sql\t'The database, as text for psql'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l keep-last -d 'Delete older backups of this project, but so many of the newest' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l encrypt-to -d 'Encrypt for this age key (`age1…`); again for more [else with BANYAN_BACKUP_PASSPHRASE, if that is set]' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l online -d 'Let everything run: each store is right by itself, but they may be some moments apart'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l physical -d 'Copy PostgreSQL\'s files instead of dumping it: faster out and back, and only for the same image'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from create" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -l identity -d 'File with the age identities that open it [else BANYAN_BACKUP_PASSPHRASE]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -l identity -d 'File with the age identities that open it [else BANYAN_BACKUP_PASSPHRASE]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -l identity -d 'File with the age identities that open it [else BANYAN_BACKUP_PASSPHRASE]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -l restore -d 'Restore it where it harms nobody, and compare'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from verify" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l at -d 'When' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l keep-last -d 'Keep so many of the newest' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l cron -d 'A line for cron'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from schedule" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -l keep-last -d 'Keep so many of the newest' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -s y -l yes -d 'Do not ask'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand backup; and __fish_seen_subcommand_from prune" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l from -d 'The same as FILE' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l only -d 'Only this store; again for more' -r
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l into-instance -d 'Into this instance, whichever the backup is of; `default` for the one without a name' -r
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l wait-timeout -d 'The longest wait for one service' -r
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l identity -d 'File with the age identities that open it [else BANYAN_BACKUP_PASSPHRASE]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand restore" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l dry-run -d 'Check whether it could be restored, and do nothing'
complete -c banyan -n "__fish_banyan_using_subcommand restore" -s y -l yes -d 'Do not ask'
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l no-snapshot -d 'Do not back the present data up first'
complete -c banyan -n "__fish_banyan_using_subcommand restore" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand restore" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand restore" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand status" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand status" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand status" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand status" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand status" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand status" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand status" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand status" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand status" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand status" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand health" -l interval -d 'Time between two rounds of --watch' -r
complete -c banyan -n "__fish_banyan_using_subcommand health" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand health" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand health" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand health" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand health" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand health" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand health" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand health" -s w -l watch -d 'Go on, and show every change'
complete -c banyan -n "__fish_banyan_using_subcommand health" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand health" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand health" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand logs" -s n -l tail -d 'Only the last so many lines of each service' -r
complete -c banyan -n "__fish_banyan_using_subcommand logs" -l since -d 'Only from this long ago on' -r
complete -c banyan -n "__fish_banyan_using_subcommand logs" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand logs" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand logs" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand logs" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand logs" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand logs" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand logs" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand logs" -s f -l follow -d 'Go on as new lines come'
complete -c banyan -n "__fish_banyan_using_subcommand logs" -s t -l timestamps -d 'Put the time before each line'
complete -c banyan -n "__fish_banyan_using_subcommand logs" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand logs" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand logs" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -f -a "list" -d 'Show the image of each service, and where it comes from'
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -f -a "pull" -d 'Pull the images from their registries'
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -f -a "build" -d 'Build the images from their recipes, and the platform\'s from this executable'
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -f -a "save" -d 'Write the images into one file, for a machine without a network'
complete -c banyan -n "__fish_banyan_using_subcommand images; and not __fish_seen_subcommand_from list pull build save load" -f -a "load" -d 'Read the images of a file that `images save` has written'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from pull" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -l platform-binary -d 'Linux executable of banyan for the platform\'s own image [default: this one]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from build" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from save" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand images; and __fish_seen_subcommand_from load" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -f -a "list" -d 'Show which queues have dead letters, and how many'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -f -a "show" -d 'Show the first dead letters of a queue; they stay where they are'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -f -a "replay" -d 'Send dead letters back to their queue, to be handled anew'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and not __fish_seen_subcommand_from list show replay purge" -f -a "purge" -d 'Delete the dead letters of a queue'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -s n -l limit -d 'At most so many' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -s n -l limit -d 'At most so many [default: all that are there]' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from replay" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -s y -l yes -d 'Do not ask'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand dlq; and __fish_seen_subcommand_from purge" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -f -a "add" -d 'Add a user'
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -f -a "list" -d 'Show the users, and what they may do'
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -f -a "grant" -d 'Give a user roles and permissions'
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -f -a "revoke" -d 'Take roles and permissions from a user'
complete -c banyan -n "__fish_banyan_using_subcommand users; and not __fish_seen_subcommand_from add list grant revoke token" -f -a "token" -d 'Print an access token of a user, for a few minutes'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l name -d 'What the user is called' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l role -d 'A role that the user has; again for more' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l password-stdin -d 'Read the password from standard input [default: make one up, and print it]'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from grant" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from revoke" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand users; and __fish_seen_subcommand_from token" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand services" -l url -d 'Address of service discovery, http://host:port [default: that of the project]' -r
complete -c banyan -n "__fish_banyan_using_subcommand services" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand services" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand services" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand services" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand services" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand services" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand services" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand services" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand services" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand services" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand services" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -f -a "list" -d 'Show the commands, queries and events of the services'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -f -a "show" -d 'Show what a service offers, in full'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -f -a "diff" -d 'Tell whether other contracts would break those who go by the present ones'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and not __fish_seen_subcommand_from list show diff graph" -f -a "graph" -d 'Show which services need which'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -l url -d 'Address of service discovery, http://host:port [default: that of the project]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -l service-version -d 'The version of the service [default: the one in use]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -l url -d 'Address of service discovery, http://host:port [default: that of the project]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l from -d 'The version of the service to begin with [default: the one in use]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l to -d 'The version of the service to end with' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l with -d 'File with the contracts to end with: a JSON list, or what `contracts show` prints as JSON' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l url -d 'Address of service discovery, http://host:port [default: that of the project]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l exit-code -d 'Exit with 20 when something would break'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from diff" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -l format -d 'As text, or in the language of Graphviz or Mermaid' -r -f -a "text\t'One line for each service and what it needs'
dot\t'Graphviz'
mermaid\t'Mermaid'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -l url -d 'Address of service discovery, http://host:port [default: that of the project]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand contracts; and __fish_seen_subcommand_from graph" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand init" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand init" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand init" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand init" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand init" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand init" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand init" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand init" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand init" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand init" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand completions" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand completions" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand completions" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand completions" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand completions" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand completions" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand completions" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand completions" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand completions" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand completions" -s V -l version -d 'Print version'
complete -c banyan -n "__fish_banyan_using_subcommand serve" -l file -d 'Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand serve" -l env-file -d 'File with variables, instead of `.env`; again for more, the last one wins' -r -F
complete -c banyan -n "__fish_banyan_using_subcommand serve" -l instance -d 'An isolated second copy: own names, volumes, network and ports' -r
complete -c banyan -n "__fish_banyan_using_subcommand serve" -l output -d 'Format of the data on standard output' -r -f -a "text\t'For people'
json\t'One JSON document, or one per line where it is a stream'"
complete -c banyan -n "__fish_banyan_using_subcommand serve" -l progress -d 'How progress is shown on standard error' -r -f -a "auto\t'`tty` on a terminal that can show it, else `plain`'
tty\t'One live line per resource'
plain\t'One line per final state'
json\t'One JSON object per line'
quiet\t'Failures only'"
complete -c banyan -n "__fish_banyan_using_subcommand serve" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c banyan -n "__fish_banyan_using_subcommand serve" -s H -l host -d 'Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]' -r
complete -c banyan -n "__fish_banyan_using_subcommand serve" -l check -d 'Ask the service in this container whether it is healthy'
complete -c banyan -n "__fish_banyan_using_subcommand serve" -l verbose -d 'Say more: which engine, and why each step is taken'
complete -c banyan -n "__fish_banyan_using_subcommand serve" -s q -l quiet -d 'Show only errors'
complete -c banyan -n "__fish_banyan_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c banyan -n "__fish_banyan_using_subcommand serve" -s V -l version -d 'Print version'
