"""Uses plausible-mcp as an assistant does: over MCP, on standard input and output. Prints what each tool answered as JSON.

Usage: mcp_session.py SERVER SITE, with PLAUSIBLE_BASE_URL and PLAUSIBLE_API_KEY in the environment; [[tool, arguments], ...] on standard input.
"""
import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    calls = json.load(sys.stdin)
    server = StdioServerParameters(command=sys.argv[1], env=dict(os.environ))
    answers = []
    async with stdio_client(server) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            for tool, arguments in calls:
                result = await session.call_tool(tool, arguments)
                answers.append(result.content[0].text)
    json.dump(answers, sys.stdout)


asyncio.run(main())
