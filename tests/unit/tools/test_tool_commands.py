"""Tools of real servers, described in few words: those that run commands or code, and those that don't.

Arguments are written short: `name` is any text, `name!` one of a list, `name#` a number, `name[]` texts.
"""

import pytest

from proctor.core import JsonObject, ToolSpec
from proctor.tools import runs_commands

REFUSED = """
execute_command | Executes a command in the terminal and returns its output. | command timeout#
execute-command | Execute a shell command | command options
run_command | Run a command on this machine | command workdir stdin
runCommand | | cmd
RunShellCommand | | input
shell_execute | Execute an allowed command with pipes | command[] directory
shell_exec | | id exec_dir
execute_shell | |
shell | Gives access to the system's shell. | line
my_shell | |
bash | Persistent session | command restart
bash_tool | Runs a bash command in the container. | input
terminal | |
cmd | | line
powershell | Runs PowerShell | script
exec | Execute a command on the remote host over SSH | command
ssh_exec | | host text
ssh_execute | | connection input
start_process | Starts a terminal process. | command timeout_ms#
interact_with_process | Sends input to a running process. | pid# input
force_run | Runs any given command line as administrator. | line
write_to_terminal | Writes to the active terminal, often to run something there. | command
send_control_character | | letter
run_in_terminal | | explanation
run_terminal_cmd | | is_background
tmux_send_keys | | keys
container_exec | | container argv[]
docker_exec | | container
exec_in_pod | Executes in a pod | name command
pods_exec | Run a program in a pod | name command[]
kubectl_generic | Any kubectl call | command args
kubectl | |
run_container | Starts a container from an image. | image command
sandbox_exec | Runs commands inside the sandbox container. | container_id commands[]
run_js | Installs packages and runs JavaScript. | container_id code
run_js_ephemeral | Run a JavaScript snippet in a fresh container. | image code
run-code | Runs a code snippet and returns what it prints. | code languageId!
run_code | Run python code in a secure sandbox by E2B. | code
execute_code | | code
execute_code_in_kernel | | source
run_python_code | Execute Python code and return stdout, stderr and the return value. | python_code
run_python | | text
python | |
python_repl | A Python shell. | query
code_interpreter | | input
ipython_cell | Executes Python code in a kernel. | source
execute_notebook_cell | | cell#
execute_ipython | | code
execute_blender_code | Runs arbitrary Python code in Blender | code
execute_cell | Execute a cell of the notebook and return its outputs | index#
run_applescript | | code_snippet
execute_script | Runs AppleScript or JXA on the machine | script_content
osascript | | text
execute_javascript | Run JavaScript in the page | script
browser_evaluate | Evaluate a JavaScript expression on page or element | function element ref
browser_run_code | Run a Playwright snippet | code
puppeteer_evaluate | Execute JavaScript in the browser console | script
playwright_evaluate | | script
evaluate_script | Evaluate a function inside the page | function
computer | Mouse and keyboard of a desktop | action text
eval | | text
evaluate_js | | text
data_analysis | Loads a file into a sandbox and executes code on it. | file code
analyze | Evaluates the given Python program over the data frame. | program
maintenance | Executes arbitrary shell commands on the host. |
helper | Runs scripts. | script
admin_task | | shell_command
job | | argv[]
task | Performs a job | steps
diagnose | 在服务器上执行系统命令并返回结果 | target
tool_a | 运行用户提供的Python代码 | input
install_packages | |
spawn_process | | name
run_remote_script | | host
execute_system_command | | text
invoke_subprocess | | text
execute_raw_shell_command | |
cli | Calls the cloud's own command line | cli_command
RUN_BASH | |
"""

PASSED = """
get_order | Looks up an order by its id. | order_id
execute_refund | Refunds an order. | order_id amount_cents# reason
run_query | Runs a read-only SQL query. | sql
execute_sql | Executes a SQL command on the database server. | query params[]
query | Run a read-only SQL query | sql
run_cypher_query | Executes a Cypher statement | query
redis_command_info | Explains a Redis command. | name
git_log | Shows the commit logs. | repo_path max_count#
git_diff | Shows differences between branches or commits. | repo_path target
git_commit | Records changes to the repository. | repo_path message
git_checkout | Switches branches. | repo_path branch_name
code_review_comment | Adds a comment to a code review. | pull# path body
run_code_review | Starts a review of a pull request by a person. | pull#
lookup_zip_code | Finds the place of a postal code. | zip_code
promo_code | Tells what a promotion code is worth. | code
apply_promo_code | Applies a promotion code to a cart. | cart code
validate_code | Checks a verification code sent by SMS. | code phone
verify_otp_code | | code
search_code | Searches code in repositories. | query
get_currency_code | | country
read_file | Reads a file. | path
read_text_file | Reads a file as text. | path head# tail#
read_multiple_files | | paths[]
write_file | Creates or overwrites a file. | path content
edit_file | Makes line-based edits to a text file. | path edits dryRun
create_directory | | path
list_directory | | path
directory_tree | | path
move_file | Moves or renames files. | source destination
search_files | Searches files by pattern. | path pattern
get_file_info | | path
list_allowed_directories | |
create_entities | Creates entities in the knowledge graph. | entities
create_relations | | relations
add_observations | | observations
delete_entities | | entityNames[]
read_graph | |
search_nodes | | query
open_nodes | | names[]
echo | Echoes back the input. | message
add | Adds two numbers. | a# b#
get-sum | Returns the sum of two numbers | a# b#
printEnv | Prints all environment variables, helpful for debugging. |
longRunningOperation | Demonstrates a long running operation with progress updates. | duration# steps#
trigger-long-running-operation | | duration#
sampleLLM | Samples from a model using MCP's sampling feature. | prompt maxTokens#
getTinyImage | |
structuredContent | Returns structured content along with a schema. | location
startElicitation | Elicitation test tool that asks for user input. |
fetch | Fetches a URL and extracts its contents as markdown. | url max_length#
browser_navigate | Navigates to a URL. | url
browser_click | Performs a click on a page. | element ref
browser_type | Types text into an editable element. | element ref text
browser_snapshot | Captures an accessibility snapshot of the page. |
browser_take_screenshot | | filename
browser_console_messages | Returns all console messages. |
browser_fill_form | | fields
browser_press_key | Presses a key on the keyboard. | key
browser_tabs | | action!
create_issue | Creates an issue. | title body labels[]
run_workflow | Triggers a workflow of the repository. | workflow_id ref
list_commands | Lists the slash commands of the bot. |
start_return_process | Starts the return process of an order. | order_id
process_payment | Processes a payment. | amount#
execute_trade | Executes a trade. | symbol quantity#
start_meeting | | title
launch_campaign | Launches a marketing campaign. | campaign
run_report | Runs a report and returns its rows. | report_id
run_test_suite | Runs the stored test suite of a project. | project
evaluate_answer | Evaluates an answer against the reference. | question answer
calculate | Evaluates a mathematical expression. | expression
perform_search | Performs a web search. | query
search_programs | Finds degree programs. | query
join_loyalty_program | Starts the membership in the loyalty program. | program
get_process_status | Tells how far the approval process is. | id
send_command_to_device | Sends a command to a device. | device command!
set_thermostat | Executes a device command. | device value#
text_editor | Views and edits files; it doesn't run commands. | command! path
explain_code | Explains a piece of code; it never executes code. | code
format_code | Formats source code. | code language!
lint | Checks code without running scripts. | code
convert_code | Translates code between languages. | code to!
opening_hours | Tells when the shop is open. | day
get_console_logs | | session
shell_companies_search | Finds shell companies in the register. | name
exec_board_members | Lists the members of the executive board. | company
java_island_weather | | day
translate | Translates a text. | text source target
qr_code | Makes a QR code. | text
generate_barcode | | code
lookup_icd_code | Explains a diagnosis code. | code
airport_code | | city
dress_code | |
open_account | | name
send_email | | to subject body
schedule_script_reading | Books a room in which actors read a script. | script date
get_script | Returns a film's script. | title
执行退款 | 对订单执行退款 | order_id
"""


def specs(table: str) -> list[ToolSpec]:
    found = []
    for line in table.strip().splitlines():
        name, description, arguments = (part.strip() for part in line.split("|"))
        properties = dict(map(argument, arguments.split()))
        parameters: JsonObject = {"type": "object", "properties": properties}
        found.append(ToolSpec(server="s", name=name, description=description, parameters=parameters))
    return found


def argument(word: str) -> tuple[str, JsonObject]:
    match word[-1]:
        case "#":
            return word[:-1], {"type": "integer"}
        case "!":
            return word[:-1], {"type": "string", "enum": ["a", "b"]}
        case "]":
            return word[:-2], {"type": "array", "items": {"type": "string"}}
        case _:
            return word, {"type": "string"}


def test_tools_that_run_commands_or_code_are_found():
    tools = specs(REFUSED)
    assert len(tools) >= 60
    assert [tool.name for tool in tools if not runs_commands(tool)] == ["task"]  # which says nothing of it


def test_tools_that_only_sound_like_it_pass():
    tools = specs(PASSED)
    assert len(tools) >= 60
    assert {tool.name: runs_commands(tool) for tool in tools if runs_commands(tool)} == {}


def test_a_title_an_option_and_an_answer_tell_it_too():
    by_title = ToolSpec(
        server="s", name="t", description="", parameters={}, hints={"title": "Run Shell Command"}
    )
    texts: JsonObject = {"type": "string"}
    nested: JsonObject = {
        "properties": {"steps": {"type": "array", "items": {"properties": {"command": {"anyOf": [texts]}}}}}
    }
    by_step = ToolSpec(server="s", name="t", description="", parameters=nested)
    returns: JsonObject = {"properties": {"stdout": texts, "stderr": texts, "exit_code": {"type": "integer"}}}
    by_answer = ToolSpec(server="s", name="git", description="", parameters={}, returns=returns)
    assert all(map(runs_commands, (by_title, by_step, by_answer)))


@pytest.mark.parametrize("schema", [{"properties": 3}, {"properties": {"command": True}}, {"$ref": "#"}, {}])
def test_a_strange_schema_is_read_as_far_as_it_can_be(schema):
    runs_commands(ToolSpec(server="s", name="t", description="x", parameters=schema))


def test_a_schema_as_large_as_a_server_likes_takes_no_time():
    deep: JsonObject = {"type": "string"}
    for _ in range(3_000):
        deep = {"properties": {"a": deep, "b": deep}}
    assert runs_commands(ToolSpec(server="s", name="t", description="", parameters=deep))


def test_nothing_is_hidden_behind_more_than_can_be_looked_through():
    command: JsonObject = {"properties": {"command": {"type": "string"}}}
    rest: JsonObject = {"description": [{}] * 30_000}
    for parameters in ({**command, **rest}, {**rest, **command}):
        assert runs_commands(ToolSpec(server="s", name="t", description="", parameters=parameters))
    says = f"{'It is a tool. ' * 5_000}It runs shell commands."
    assert runs_commands(ToolSpec(server="s", name="t", description=says, parameters={}))


@pytest.mark.parametrize(
    "name",
    [
        "run\u200b_command",
        "r\N{FULLWIDTH LATIN SMALL LETTER U}n_command",
        "run\U000e0020_command",
        "RunCOMMAND",
        "run.command",
        "run  command",
    ],
)
def test_a_disguised_name_is_read_as_it_looks(name):
    assert runs_commands(ToolSpec(server="s", name=name, description="", parameters={}))
