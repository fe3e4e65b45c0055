"""``python -m shufflenet_deploy.runtime.agent FOLDER``: see `agent`."""

from shufflenet_deploy.runtime.agent.agent import main

main()
