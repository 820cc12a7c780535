/* commands.h: the verbs; argv[0] is the verb's name; the result is the exit status. */
#ifndef BP_HARNESS_COMMANDS_H
#define BP_HARNESS_COMMANDS_H

int bp_cmd_eval(int argc, char **argv);
int bp_cmd_evolve(int argc, char **argv);
int bp_cmd_replay(int argc, char **argv);
int bp_cmd_export(int argc, char **argv);
int bp_cmd_status(int argc, char **argv);
int bp_cmd_clean(int argc, char **argv);
int bp_cmd_config(int argc, char **argv);
int bp_cmd_inject(int argc, char **argv);
int bp_cmd_doctor(int argc, char **argv);

#endif
